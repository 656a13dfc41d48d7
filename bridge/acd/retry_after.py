"""The Retry-After header (RFC 9110 section 10.2.3)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86400.0
"""A day: a server that asks for more is asked again after that."""
_MAX_LENGTH = 64


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, from 0 to LONGEST; None where the header is missing or unreadable.

    A date is compared with the answer's own Date, so that clocks that differ do no harm, and with `now`
    (seconds since 1970) where the answer has none. Header names are looked up as given: hand in a
    case-insensitive mapping, or canonical names.
    """
    value = headers.get("Retry-After")
    if value is None or len(value) > _MAX_LENGTH:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST)
    then, base = _date(value), _date(headers.get("Date", "")) or _moment(now)
    if then is None or base is None:
        return None
    return min(max((then - base).total_seconds(), 0.0), LONGEST)


def _moment(now: float | None) -> datetime | None:
    return None if now is None else datetime.fromtimestamp(now, UTC)


def _date(value: str) -> datetime | None:
    """An HTTP-date; one without a zone is in UTC (RFC 9110 section 5.6.7)."""
    if not value or len(value) > _MAX_LENGTH:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
