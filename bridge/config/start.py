"""Where a folder's first start begins, as people write it: a word, or a date."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

WORDS = ("now", "all", "unseen")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_start(value: Any) -> Any:
    """One of the words, or a date: TOML's own or a text such as "2026-11-01". Raises ValueError."""
    if (isinstance(value, str) and value in WORDS) or (
        isinstance(value, date) and not isinstance(value, datetime)
    ):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError('must be "now", "all", "unseen" or a date such as 2026-11-01')


Start = Annotated[Literal["now", "all", "unseen"] | date, BeforeValidator(parse_start)]
"""What is taken of a folder at its first start."""
