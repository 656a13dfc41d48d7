"""Where a first start begins, as it is written in the file."""

from datetime import date
from typing import Any

import pytest

from bridge.config.mailbox import Mailbox

BOX = {"name": "m", "host": "h", "username": "u", "password": "p"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("now", "now"),
        ("all", "all"),
        ("unseen", "unseen"),
        ("2026-11-01", date(2026, 11, 1)),
        (date(2026, 11, 1), date(2026, 11, 1)),
    ],
)
def test_words_and_dates(written: Any, meant: Any) -> None:
    """Three words, TOML's own date, and the same date as a text."""
    assert Mailbox.model_validate(BOX | {"start": written}).start == meant


@pytest.mark.parametrize(
    "written", ["", "ALL", "20261101", "2026-W01-1", "2026-13-01", "2026-11-01T00:00:00", 5, True]
)
def test_everything_else_is_refused(written: Any) -> None:
    """No guess is made: a wrong one would post old mail."""
    with pytest.raises(ValueError, match="start"):
        Mailbox.model_validate(BOX | {"start": written})
