"""What a look at a followed event means, when to look again, and how to look."""

from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.record import AcdEvent
from bridge.acd.statuses import STATED
from bridge.delivery.follow_up import (
    NO_STATUS,
    PURGED,
    RECORDS_PER_LOOK,
    UNKNOWN_LIST,
    Gone,
    Sight,
    Unclear,
    changed_at,
    conclude,
    list_is_cheaper,
)
from bridge.delivery.retry import Patience
from bridge.ledger.follow_ups import Followed, FollowUpOutcome, Looked

BEGAN = 1_795_406_526_000
HOUR = 3_600_000
PATIENCE = Patience(first=30, cap=900, give_up_after=7 * 86400)
END = BEGAN + 7 * 24 * HOUR
ROW = Followed(
    item_id=1, key="a", acd_event_id=5, own=True, began_at=BEGAN, steady=0, looked_at=None, status=None
)


def event(status: int | None = 20, **more: Any) -> AcdEvent:
    return AcdEvent.model_validate({"ID": 5, "AcdEventStatusID": status} | more)


def sight(status: int | None, name: str | None = None, **more: Any) -> Sight:
    return Sight(event(status, **more), STATED.get(status or 0, "") if name is None else name)


def concluded(
    found: Sight | Gone | Unclear, row: Followed = ROW, now: int = BEGAN + HOUR, chance: float = 1.0
) -> Looked:
    return conclude(row, found, PATIENCE, zone=UTC, now=now, chance=chance)


@pytest.mark.parametrize(("status", "outcome"), [(99, FollowUpOutcome.DONE), (100, FollowUpOutcome.ERROR)])
@pytest.mark.parametrize("now", [BEGAN, BEGAN + HOUR, END, END + HOUR])
def test_final_states_end_it(status: int, outcome: FollowUpOutcome, now: int) -> None:
    """Done and Error are the end, also at the very end of the time."""
    looked = concluded(sight(status), now=now)
    assert (looked.outcome, looked.status, looked.told) == (outcome, status, True)
    assert looked.done_at == (now if status == 99 else None)


@pytest.mark.parametrize("status", [one for one in STATED if one not in {99, 100}])
def test_all_other_states_go_on(status: int) -> None:
    """Whatever else an event is in, it is looked at again, ChatClosed and Remind too."""
    looked = concluded(sight(status))
    assert looked.outcome is None
    assert looked.due_at > BEGAN + HOUR


def test_names_decide_and_not_numbers() -> None:
    """An ACD that numbers its states otherwise is followed by their names."""
    assert concluded(sight(7, "Done")).outcome is FollowUpOutcome.DONE
    assert concluded(sight(99, "Waiting")).outcome is None


@pytest.mark.parametrize(("status", "field"), [(20, "new_at"), (30, "seen_at"), (99, "done_at")])
def test_the_times_of_three_states_are_written_down_once(status: int, field: str) -> None:
    """New, Seen and Done have a time, of the first look that saw them; other states have none."""
    now = BEGAN + HOUR
    first = concluded(sight(status), now=now)
    times = {name: getattr(first, name) for name in ("new_at", "seen_at", "done_at")}
    assert times == dict.fromkeys(times) | {field: now}
    again = concluded(sight(status), replace(ROW, reached=frozenset({field})), now=now)
    assert getattr(again, field) is None


def test_a_purged_event_ends_as_unknown() -> None:
    """It is not looked for again, whatever was known of it."""
    looked = concluded(Gone(), replace(ROW, status=30, looked_at=BEGAN))
    assert (looked.outcome, looked.detail, looked.told) == (FollowUpOutcome.UNKNOWN, PURGED, False)


@pytest.mark.parametrize("found", [Unclear("acd-failed (HTTP 500)"), sight(None), sight(-1), sight(2**63)])
def test_what_tells_nothing_is_looked_at_again(found: Sight | Unclear) -> None:
    """A failure of one event, and an answer without a usable state, change nothing of what is known."""
    looked = concluded(found, replace(ROW, status=20))
    assert (looked.outcome, looked.told, looked.steady) == (None, False, 1)
    assert looked.detail in {NO_STATUS, "acd-failed (HTTP 500)"}


def test_waits_grow_until_something_is_new() -> None:
    """Doubling from `first` to `cap` while nothing changes; a new state begins anew."""
    waits, row, now = [], ROW, BEGAN
    for _ in range(8):
        looked = concluded(sight(20), row, now)
        waits.append((looked.due_at - now) / 1000)
        row = replace(row, status=looked.status, steady=looked.steady)
        now = looked.due_at
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert (concluded(sight(30), row, now).due_at - now) / 1000 == 30


@given(steady=st.integers(0, 10**6), chance=st.floats(0, 1), after=st.integers(0, 7 * 24 * HOUR - 1))
def test_waits_are_jittered_and_bounded(steady: int, chance: float, after: int) -> None:
    """No wait is longer than `cap`, none ends behind the bound, and jitter takes at most half of it."""
    now = BEGAN + after
    looked = concluded(sight(20), replace(ROW, status=20, steady=steady), now, chance)
    assert now < looked.due_at <= min(now + 900_000, END)
    assert looked.due_at >= min(now + 15_000, END)


@pytest.mark.parametrize(
    ("found", "status", "last"),
    [
        (sight(30), 30, "the event was Seen"),
        (sight(77, ""), 77, "the event was in state 77"),
        (Unclear("acd-failed"), None, "acd-failed"),
        (sight(None), None, NO_STATUS),
    ],
)
def test_the_end_of_the_time_ends_it_with_its_reason(
    found: Sight | Unclear, status: int | None, last: str
) -> None:
    """The last look is at the bound; what it saw is the reason, and is kept."""
    looked = concluded(found, now=END)
    assert looked.outcome is FollowUpOutcome.GAVE_UP
    assert looked.detail == f"given up after 604800 s; last: {last}"
    assert (looked.told, looked.status) == (status is not None, status)


MADE = {"dtCreated": "2026-11-23T05:02:05.000"}
"""By an ACD whose clock shows some other time than UTC."""


@pytest.mark.parametrize(
    ("own", "modified", "looked_at", "zone", "seconds"),
    [
        (True, "2026-11-23T05:02:25.000", None, None, 20),
        (True, "2026-11-23T05:02:25.500", BEGAN + 20_000, ZoneInfo("Asia/Tokyo"), 20.5),
        (True, "2026-11-23T05:02:25.000", BEGAN + 30_000, None, 3600),  # older than the last look
        (True, "2026-11-23T09:02:25.000", None, None, 3600),  # in the future
        (False, "2026-11-23T05:02:26.000", None, ZoneInfo("Europe/Berlin"), 20),
        (False, "2026-11-23T04:02:26.000", None, UTC, 20),
        (False, "2026-11-23T04:01:26.000", None, UTC, -40),  # within the skew of clocks
        (False, "2026-11-23T04:00:26.000", None, UTC, 3600),
        (False, "2026-11-23T05:02:26.000", None, UTC, 3600),  # the wrong zone: an hour too late
        (False, "0001-01-01T00:00:00", None, None, 3600),
        (False, "9999-12-31T23:59:59", None, None, 3600),
        (True, "0001-01-01T00:00:00", None, None, 3600),
        (True, "yesterday", None, None, 3600),
        (True, None, None, None, 3600),
    ],
)
def test_the_acds_own_time_counts_where_it_fits(
    own: bool,  # noqa: FBT001 - a column of the table above
    modified: str | None,
    looked_at: int | None,
    zone: tzinfo | None,
    seconds: float,
) -> None:
    """dtLastModified is the time of a change between two looks; else it is the look's. dtCreated tells the clock."""
    row = replace(ROW, own=own, looked_at=looked_at)
    seen = event(30, dtLastModified=modified, **MADE)
    assert changed_at(row, seen, zone, BEGAN + HOUR) == BEGAN + seconds * 1000


def test_the_list_is_read_where_it_costs_less() -> None:
    """It depends on how many events are due, and on how long the list was; one event never asks for all of them."""
    assert not list_is_cheaper(1, 0)
    assert list_is_cheaper(2, 0)
    assert not list_is_cheaper(10, 10 * RECORDS_PER_LOOK)
    assert list_is_cheaper(11, 10 * RECORDS_PER_LOOK)
    unknown = UNKNOWN_LIST // RECORDS_PER_LOOK
    assert (list_is_cheaper(unknown, None), list_is_cheaper(unknown + 1, None)) == (False, True)
