"""The rules for single fields of a create request: each gives a value's problems, without quoting it."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

MAX_ID: Final = 2**31 - 1
"""The documentation's `Integer` is taken as one of 32 bits."""
MAX_PRIORITY: Final = 200
LONGEST: Final = {
    "sender": 1_000,
    "receiver": 1_000,
    "subject": 10_000,
    "body": 100_000,
    "crm_url": 8_000,
    "user_data": 4_000,
    "appointment_date": 10,
    "appointment_time": 5,
}
"""Characters of each text at most. None is documented: these are ours, against runaway templates."""

_DATE = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})", re.ASCII)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):?[0-5]\d", re.ASCII)


def id_problems(name: str, value: Any) -> Iterator[str]:
    """An ID is a positive integer; true is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_ID:
        yield f"{name} must be a positive integer"


def group_problems(group: Any, config_group: Any, agent_group: Any) -> Iterator[str]:
    """Either the group, or both of the pair, never both ways and never half."""
    pair = (config_group is not None) + (agent_group is not None)
    if group is None and pair == 0:
        yield "AcdGroupsID is missing (or AcdConfigurationGroupsID and AcdAgentGroupsID together)"
    elif group is not None and pair:
        yield "AcdGroupsID excludes AcdConfigurationGroupsID and AcdAgentGroupsID"
    elif pair == 1:
        yield "AcdConfigurationGroupsID and AcdAgentGroupsID are only valid together"


def priority_problems(value: Any) -> Iterator[str]:
    """From 0 to 200."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_PRIORITY:
        yield f"nPriority must be an integer from 0 to {MAX_PRIORITY}"


def text_problems(name: str, value: Any, longest: int, *, needed: bool) -> Iterator[str]:
    """A text that JSON and a database can hold, not too long, and not blank where it is needed."""
    if not isinstance(value, str):
        yield f"{name} must be a text"
        return
    if needed and not value.strip():
        yield f"{name} must not be empty"
    if len(value) > longest:
        yield f"{name} is longer than {longest} characters"
    if "\0" in value or not _is_unicode(value):
        yield f"{name} holds characters that cannot be stored"


def url_problems(value: Any) -> Iterator[str]:
    """An absolute http or https address (RFC 3986)."""
    if isinstance(value, str) and not _is_web_address(value):
        yield "CrmURL must be a well-formed http or https address"


def date_problems(value: Any) -> Iterator[str]:
    """`yyyy-mm-dd` or `yyyymmdd`, a day that exists; the ACD takes an empty text as none."""
    if isinstance(value, str) and value and not _is_date(value):
        yield "dtAppointmentDate must be a date as yyyy-mm-dd or yyyymmdd"


def time_problems(value: Any) -> Iterator[str]:
    """`hh:mm` or `hhmm`; the ACD takes an empty text as none."""
    if isinstance(value, str) and value and not _TIME.fullmatch(value):
        yield "dtAppointmentTime must be a time as hh:mm or hhmm"


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_web_address(value: str) -> bool:
    if any(sign.isspace() or not sign.isprintable() for sign in value):
        return False
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host)


def _is_date(value: str) -> bool:
    match = _DATE.fullmatch(value)
    if match is None:
        return False
    try:
        date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return False
    return True
