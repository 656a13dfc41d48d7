"""Durations as people write them: `15`, `"90s"`, `"10m"`, `"12h"`, `"5d"`."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

LONGEST = 100 * 365 * 86400
"""A hundred years, in seconds: what is far beyond fits into no date and no column of the state file."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)


def parse_seconds(value: Any) -> float:
    """The duration in seconds. Raises ValueError for anything else than a number or such a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        # pydantic makes a problem of the key from a ValueError only.
        raise ValueError('must be a number of seconds, or a text such as "90s", "10m", "12h", "5d"')  # noqa: TRY004
    if isinstance(value, int | float):
        return _bounded(float(value))
    match = _FORM.fullmatch(value.strip())
    if match is None:
        raise ValueError(f'{value!r} is no duration; write a number of seconds, or "90s", "10m", "12h", "5d"')
    return _bounded(float(match[1]) * _UNITS[match[2]])


def _bounded(seconds: float) -> float:
    if LONGEST < seconds < math.inf:  # what is infinite is told as such
        raise ValueError("must be at most a hundred years")
    return seconds


Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(allow_inf_nan=False, ge=0)]
"""A duration in seconds."""
