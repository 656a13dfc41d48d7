"""What becomes of mails whose folder was numbered anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.intake.imap.renumbered import (
    CLOCKS_DIFFER,
    MAX_TIMES,
    MAX_UNKNOWN,
    WITHIN_SECONDS,
    Fate,
    Renumberings,
    cut_off,
    fate_of,
    first_since,
    must_be_held,
    wanted_since,
)

FIRST_SEEN = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def order(**fields: Any) -> HistoryOrder:
    return HistoryOrder(source="m", folder="INBOX", **fields)


def test_cut_off() -> None:
    """The time when the folder was first seen, less what clocks differ."""
    first_at = round(FIRST_SEEN.timestamp() * 1000)
    cursor = FolderCursor(
        source="m", folder="INBOX", uidvalidity=7, baseline=10, last_uid=20, first_at=first_at
    )
    assert cut_off(cursor) == FIRST_SEEN - CLOCKS_DIFFER


def test_old_mail_that_was_asked_for_is_wanted() -> None:
    """All of it, or what came since a time; a list of UIDs means nothing after a renumbering."""
    cut = FIRST_SEEN
    long_ago = FIRST_SEEN - 30 * DAY
    milliseconds = round(long_ago.timestamp() * 1000)
    assert wanted_since(cut, None) == cut
    assert wanted_since(cut, order()) is None
    assert wanted_since(cut, order(since=milliseconds)) == long_ago
    assert wanted_since(cut, order(since=milliseconds + 60 * 86_400_000)) == cut
    assert wanted_since(cut, order(uids="1:3")) == cut


@pytest.mark.parametrize(
    ("state", "came", "since", "fate"),
    [
        ("created", FIRST_SEEN - DAY, FIRST_SEEN, Fate.KNOWN),
        ("forgotten", FIRST_SEEN + DAY, FIRST_SEEN, Fate.KNOWN),
        ("", FIRST_SEEN - DAY, FIRST_SEEN, Fate.LEFT_ALONE),
        ("", FIRST_SEEN, FIRST_SEEN, Fate.NEW),
        ("", None, FIRST_SEEN, Fate.NEW),
        ("", FIRST_SEEN - DAY, None, Fate.NEW),
    ],
)
def test_fates(state: str, came: datetime | None, since: datetime | None, fate: Fate) -> None:
    """Known is known; what is not is new or left alone by its time, and read where that is not told."""
    assert fate_of(state, came, since) is fate


@pytest.mark.parametrize(
    ("new", "held", "expected"),
    [(MAX_UNKNOWN, 0, False), (MAX_UNKNOWN + 1, 0, True), (1, MAX_UNKNOWN, True), (0, 0, False)],
)
def test_too_many_are_held(new: int, held: int, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """One more than the limit, with what an interrupted try has held before."""
    assert must_be_held(new, held) is expected


def test_first_since() -> None:
    """The smallest UID that is late enough; a message without a date is rather read than lost."""
    dates = {1: FIRST_SEEN - DAY, 2: FIRST_SEEN, 3: FIRST_SEEN + DAY}
    assert first_since(FIRST_SEEN, dates) == 2
    assert first_since(FIRST_SEEN, {**dates, 1: None}) == 1
    assert first_since(FIRST_SEEN, {1: FIRST_SEEN - DAY}) is None


@given(st.lists(st.floats(0, 10_000), max_size=40).map(sorted))
def test_never_more_often_than_the_bound(times: list[float]) -> None:
    """However a server behaves, no hour sees more renumberings carried out than the bound."""
    renumberings = Renumberings()
    carried_out: list[float] = []
    for now in times:
        if not renumberings.too_many(now):
            renumberings.note(now)
            carried_out.append(now)
    for begin in carried_out:
        assert sum(begin <= one < begin + WITHIN_SECONDS for one in carried_out) <= MAX_TIMES


def test_a_clock_that_was_set_back() -> None:
    """Renumberings at times that are yet to come do not keep the folder from being read until then."""
    renumberings = Renumberings()
    for _ in range(MAX_TIMES):
        renumberings.note(1_800_000_000.0)
    assert renumberings.too_many(1_800_000_000.0)
    assert not renumberings.too_many(1_700_000_000.0)
