"""The checks of `POST /acd/events/create`, as strict as the documentation allows.

Written from the documentation alone, apart from the client's own rules, so that each can catch the other's
mistakes. A wrong form is a 400; an object that does not exist is a 404 with words.
"""

import re
from datetime import datetime
from typing import Any, Final

from bridge.acd.simulator.refusal import Refusal
from bridge.acd.simulator.settings import Settings

_INTEGERS: Final = (
    "AcdEventTypesID",
    "AcdGroupsID",
    "AcdConfigurationGroupsID",
    "AcdAgentGroupsID",
    "UsersID",
    "nPriority",
)
_STRINGS: Final = (
    "Sender",
    "Receiver",
    "Subject",
    "Body",
    "CrmURL",
    "UserData",
    "dtAppointmentDate",
    "dtAppointmentTime",
)
_KNOWN: Final = frozenset((*_INTEGERS, *_STRINGS))
_LONGEST_TEXT: Final = 128 * 1024
_NUMBER: Final = re.compile(r"\+?[1-9][0-9]{5,14}")
_ADDRESS: Final = re.compile(r"https?://[^\s/?#]+[^\s]*")
_DATE_FORMS: Final = {10: "%Y-%m-%d", 8: "%Y%m%d"}
_TIME_FORMS: Final = {5: "%H:%M", 4: "%H%M"}


def refusal_of(event: Any, settings: Settings) -> Refusal | None:
    """Why this request is refused, or None."""
    if not isinstance(event, dict):
        return Refusal(400, "The post data must be a JSON object")
    problem = (
        _wrong_kind(event)
        or _missing(event)
        or _wrong_target(event)
        or _wrong_for_type(event, settings)
        or _wrong_form(event)
    )
    return Refusal(400, problem) if problem else _unknown_object(event, settings)


def _wrong_kind(event: dict[str, Any]) -> str:
    for name, value in event.items():
        if name not in _KNOWN:
            return f"Unknown parameter: {name[:100]}"
        wanted = int if name in _INTEGERS else str
        if type(value) is not wanted:
            return f"{name} has the wrong type"
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            return f"{name} is too long"
    return ""


def _missing(event: dict[str, Any]) -> str:
    for name in ("AcdEventTypesID", "Sender", "Subject"):
        if event.get(name) in {None, ""}:
            return f"Required parameter missing: {name}"
    return ""


def _wrong_target(event: dict[str, Any]) -> str:
    target = tuple(name in event for name in ("AcdGroupsID", "AcdConfigurationGroupsID", "AcdAgentGroupsID"))
    if target in {(True, False, False), (False, True, True)}:
        return ""
    return "Specify either AcdGroupsID or both AcdConfigurationGroupsID and AcdAgentGroupsID"


def _wrong_for_type(event: dict[str, Any], settings: Settings) -> str:
    number = event["AcdEventTypesID"]
    if number not in settings.types.values():
        return "AcdEventTypesID is not known"
    if "Body" in event and number != settings.types.get("Callback"):
        return "Body is not supported for this AcdEventType"
    if number in {settings.types.get("VoiceMail"), settings.types.get("Callback")}:
        for name in ("Sender", "Receiver"):
            if event.get(name) and not _NUMBER.fullmatch(event[name]):
                return f"{name} is not in E.164 format"
    return ""


def _wrong_form(event: dict[str, Any]) -> str:
    if not 0 <= event.get("nPriority", 50) <= 200:
        return "nPriority is out of range"
    if event.get("CrmURL") and not _ADDRESS.fullmatch(event["CrmURL"]):
        return "CrmURL is not well formed"
    if not _readable(event.get("dtAppointmentDate", ""), _DATE_FORMS):
        return "dtAppointmentDate must be yyyy-mm-dd or yyyymmdd"
    if not _readable(event.get("dtAppointmentTime", ""), _TIME_FORMS):
        return "dtAppointmentTime must be hh:mm or hhmm"
    return ""


def _readable(value: str, forms: dict[int, str]) -> bool:
    if not value:
        return True
    form = forms.get(len(value))
    if form is None:
        return False
    try:
        return datetime.strptime(value, form).strftime(form) == value  # noqa: DTZ007 - the API's times have no zone
    except ValueError:
        return False


def _unknown_object(event: dict[str, Any], settings: Settings) -> Refusal | None:
    known = {
        "AcdGroupsID": settings.groups.values(),
        "AcdConfigurationGroupsID": settings.config_groups,
        "AcdAgentGroupsID": settings.agent_groups,
        "UsersID": settings.users,
    }
    for name, numbers in known.items():
        if name in event and event[name] not in numbers:
            return Refusal(404, f"{name.removesuffix('sID')} not found")
    return None
