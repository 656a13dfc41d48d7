"""One alarm for an outage, one word at its end: the decision, and what it is told of."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.incident import OVERDUE, POLLS, Began, Ended, Incident

INBOX, TEAM = "INBOX", "Team"


def incident(*folders: str, poll: float = 60.0) -> Incident:
    return Incident(folders or (INBOX,), 0.0, poll)


def test_an_outage_is_one_alarm_and_one_recovery() -> None:
    """However often it is asked: one word when the last good look is too old, one when there is a good one again."""
    one = incident()
    one.looked(INBOX, 100.0)
    told = [(now, one.turn(now)) for now in range(0, 5000, 5)]
    one.looked(INBOX, 5001.0)
    told += [(now, one.turn(now)) for now in range(5005, 5500, 5)]
    assert [(now, news) for now, news in told if news is not None] == [
        (705, Began((INBOX,), 605.0)),
        (5005, Ended(4905.0)),
    ]


def test_a_short_outage_is_none() -> None:
    """What is over before the bound is neither told nor counted."""
    one = incident()
    for now in range(0, 10_000, 300):
        one.looked(INBOX, now)
        assert one.turn(now + 299.0) is None
    assert one.unwatched == 0


def test_another_folder_is_told_too() -> None:
    """A folder that is missing for days does not hide that the inbox fails as well."""
    one = incident(INBOX, TEAM)
    one.looked(INBOX, 600.0)
    assert one.turn(601.0) == Began((TEAM,), 601.0)
    assert one.turn(1201.0) == Began((INBOX, TEAM), 1201.0)
    assert one.unwatched == 2
    one.looked(INBOX, 1300.0)
    assert one.turn(1301.0) is None
    one.looked(TEAM, 1400.0)
    assert one.turn(1401.0) == Ended(1401.0)


def test_long_polls_are_no_outage() -> None:
    """A folder that is looked at once an hour is overdue after several hours only."""
    one = incident(poll=3600.0)
    assert one.turn(POLLS * 3600.0) is None
    assert one.turn(POLLS * 3600.0 + 1) is not None


@given(
    st.lists(st.tuples(st.sampled_from([INBOX, TEAM]), st.floats(0, 2 * OVERDUE), st.booleans()), max_size=40)
)
def test_beginnings_and_ends_take_turns(steps: list[tuple[str, float, bool]]) -> None:
    """Nothing ends that has not begun, and nothing ends twice."""
    told = [news for news in _told(incident(INBOX, TEAM), steps) if news is not None]
    assert not told or isinstance(told[0], Began)
    assert not any(isinstance(one, Ended) and isinstance(next_one, Ended) for one, next_one in pairwise(told))


def _told(one: Incident, steps: list[tuple[str, float, bool]]) -> Iterator[Began | Ended | None]:
    now = 0.0
    for folder, passed, good in steps:
        now += passed
        if good:
            one.looked(folder, now)
        yield one.turn(now)


@pytest.mark.parametrize("silence", [OVERDUE + 1, OVERDUE * 100])
def test_a_folder_that_was_never_seen_counts_from_the_start(silence: float) -> None:
    """A server that is down when the bridge starts is an incident as well."""
    assert incident().turn(silence) == Began((INBOX,), silence)
