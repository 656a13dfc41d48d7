"""The earliest moment of an event, as the ACD takes it: a date and a time in the ACD's own zone."""

import re
from datetime import date, datetime, tzinfo

from bridge.routing.fields import FieldError

_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)


def appointment(text: str, zone: tzinfo | None) -> tuple[str, str] | None:
    """Date (yyyy-mm-dd) and time (hh:mm) of an ISO 8601 date or date-time; None for an empty text.

    A moment without a zone is taken as the ACD's; `zone` None is this machine's. A date alone is its
    midnight. Both are always given: the ACD takes a time alone as its next occurrence, and a late retry would
    move it to another day. Seconds are dropped. Raises FieldError.
    """
    if not text:
        return None
    try:
        moment = _moment(text)
        local = moment if moment.tzinfo is None else moment.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        raise FieldError("is no date or date-time of ISO 8601") from None
    return f"{local:%Y}".zfill(4) + f"{local:-%m-%d}", f"{local:%H:%M}"


def _moment(text: str) -> datetime:
    if _DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), datetime.min.time())
    if ":" not in text and "T" not in text:
        raise FieldError("is no date or date-time of ISO 8601")
    return datetime.fromisoformat(text)
