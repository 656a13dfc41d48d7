"""The fields of an event: each function makes the ACD's value of what a route's template gave.

They take the trimmed text and a list for notes, and raise FieldError where nothing valid can be made of it.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

MAX_ID = 2**31 - 1
MAX_PRIORITY = 200
MAX_NAME = 200
MAX_ADDRESS = 320
"""Characters of Sender and Receiver: the longest mail address (RFC 5321 section 4.5.3.1) has 64 + 1 + 255."""
MAX_SUBJECT = 500
MAX_BODY = 60_000
MAX_URL = 2000
MAX_USER_DATA = 255

UNKNOWN_SENDER = "unknown"
NO_SUBJECT = "(no subject)"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

Notes = list[str]
Make = Callable[[str, Notes], int | str | None]


class FieldError(ValueError):
    """A route's text makes no valid value of its field; the message says why, without the text."""


def name_or_id(text: str, _: Notes) -> int | str | None:
    """Digits are an ID, anything else is a name of the ACD's; nothing is None."""
    if text.isascii() and text.isdigit():
        return number(text, _)
    name = one_line(text)
    if len(name) > MAX_NAME:
        raise FieldError(f"is a name of more than {MAX_NAME} characters")
    return name or None


def number(text: str, _: Notes) -> int | None:
    """An ID: a whole number from 1."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= MAX_ID):
        raise FieldError("is no ID (a whole number from 1)")
    return int(text)


def priority(text: str, _: Notes) -> int | None:
    """A whole number from 0 to 200."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MAX_PRIORITY):
        raise FieldError(f"is no whole number from 0 to {MAX_PRIORITY}")
    return int(text)


def sender(text: str, notes: Notes) -> str:
    """A text. The ACD requires one, and a customer whose address cannot be read is a customer still."""
    if found := cut(one_line(text), MAX_ADDRESS, "sender", notes):
        return found
    notes.append(f"sender is empty, so {UNKNOWN_SENDER!r} is posted")
    return UNKNOWN_SENDER


def receiver(text: str, notes: Notes) -> str | None:
    """A text, or nothing."""
    return cut(one_line(text), MAX_ADDRESS, "receiver", notes) or None


def subject(text: str, notes: Notes) -> str:
    """A text. The ACD requires one."""
    return cut(one_line(text), MAX_SUBJECT, "subject", notes) or NO_SUBJECT


def body(text: str, notes: Notes) -> str | None:
    """A text of several lines, or nothing."""
    if not text.isprintable():
        text = _SURROGATE.sub("\ufffd", _CONTROL_BUT_LINES.sub(" ", text))
    return cut(text, MAX_BODY, "body", notes) or None


def user_data(text: str, notes: Notes) -> str | None:
    """A text, or nothing."""
    return cut(one_line(text), MAX_USER_DATA, "user_data", notes) or None


def crm_url(text: str, notes: Notes) -> str | None:
    """An http or https address, or nothing: an agent can work without the link."""
    if text and (len(text) > MAX_URL or not is_web_address(text)):
        notes.append("crm_url is no http(s) address, so it is left out")
        return None
    return text or None


def is_web_address(text: str) -> bool:
    """Whether the text is an absolute http or https address with a host (RFC 3986), without spaces."""
    if not text.lower().startswith(("http://", "https://")) or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def one_line(text: str) -> str:
    """The text without control characters, line ends and lone surrogates."""
    if text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text)).strip()


def cut(text: str, longest: int, name: str, notes: Notes) -> str:
    """The text's beginning."""
    if len(text) <= longest:
        return text
    notes.append(f"{name} is longer than {longest} characters, so it is cut")
    return text[:longest]
