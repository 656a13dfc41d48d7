"""The Date field (RFC 5322 section 3.3 and 4.3) and other moments, in UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {month: number for number, month in enumerate(_MONTH_NAMES, start=1)}
_USUAL = re.compile(
    r"\s*(?:[A-Za-z]{3},)?\s*(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{1,2}):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
)
_MAX_DATE = 200


def read_date(value: str) -> datetime | None:
    """The moment in UTC, or None where it cannot be read. A time without a zone is taken for UTC."""
    try:
        usual = _USUAL.match(value)
        return _of_usual(usual) if usual else in_utc(_of_unusual(value[:_MAX_DATE]))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        return None


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. One without a zone is in UTC; one that UTC cannot express keeps its figures."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def _of_usual(match: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    local = datetime(
        int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
    )  # fmt: skip
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    return local + offset if sign == "-" else local - offset


def _of_unusual(value: str) -> datetime:
    """Comments, names of zones, years of two digits, missing seconds: what the standard library knows."""
    parts = parsedate_tz(value)
    if parts is None:
        return datetime.fromisoformat(value.strip())
    zone = timezone(timedelta(seconds=parts[9] or 0))
    return datetime(*parts[:5], min(parts[5], 59), tzinfo=zone)
