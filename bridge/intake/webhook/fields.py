"""From a value of the body to a field of the message."""

from datetime import UTC, datetime
from typing import Any

from bridge.intake.webhook.text import one_line

_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973: larger numbers are milliseconds."""
MAX_URL = 2000
"""The length that every browser and proxy takes."""


def text_of(value: Any) -> str | None:
    """A single value as text; empty for null, None for a list or an object, which has no text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return None


def moment_of(text: str) -> datetime | None:
    """A time in ISO 8601, or in seconds or milliseconds since 1970; None where it is neither.

    A time without a zone is taken as UTC: guessing another one would be wrong more often.
    """
    try:
        if text.replace(".", "", 1).isdecimal():
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def link_of(text: str) -> str:
    """The text where it is an address that a browser may open, else empty.

    The agent's client opens it by itself, so `javascript:`, `file:` and the like must never pass.
    """
    link = one_line(text, MAX_URL + 1)
    allowed = link[:8].lower().startswith(("https://", "http://"))
    return link if allowed and len(link) <= MAX_URL and not any(sign in link for sign in ' "<>\\') else ""
