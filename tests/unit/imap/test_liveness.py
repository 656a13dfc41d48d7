"""When a silent connection is still believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.liveness import (
    CLOCK_JUMP,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SHORTEST_SLICE,
    IdleSlice,
    PushPause,
    slept,
)


def test_a_miss_halves_the_slice_down_to_its_floor() -> None:
    """The first miss begins from what was really waited for: the distance of the polls."""
    idle = IdleSlice(540)
    idle.missed(60)
    assert idle.seconds == 30
    for _ in range(10):
        idle.missed(60)
    assert idle.seconds == SHORTEST_SLICE


def test_it_recovers_slowly_and_not_beyond_the_setting() -> None:
    """One good poll undoes no miss; many do."""
    idle = IdleSlice(540)
    idle.missed(60)
    idle.told_all()
    assert 30 < idle.seconds < 60
    for _ in range(50):
        idle.told_all()
    assert idle.seconds == 540


@given(st.floats(5, 1740), st.lists(st.one_of(st.none(), st.floats(1, 3600)), max_size=60))
def test_the_slice_stays_in_its_bounds(longest: float, polls: list[float | None]) -> None:
    """Whatever happens: never longer than configured, never below the floor, or below a shorter setting."""
    idle = IdleSlice(longest)
    for poll in polls:
        if poll is None:
            idle.told_all()
        else:
            idle.missed(poll)
        assert min(SHORTEST_SLICE, longest) <= idle.seconds <= longest


def test_pushes_that_told_of_nothing_make_the_next_one_wait() -> None:
    """The pause grows up to its bound, and is over with the first push that told of mail."""
    pause = PushPause()
    assert pause.seconds == 0
    waited = []
    for _ in range(10):
        pause.looked(0)
        waited.append(pause.seconds)
    assert waited[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert waited[-1] == LONGEST_PAUSE
    pause.looked(1)
    assert pause.seconds == 0


@pytest.mark.parametrize(
    ("asked", "monotonic", "wall", "expected"),
    [
        (60, 60, 60, False),
        (60, 3, 3, False),
        (60, 60, 3600, True),
        (60, 600, 600, True),
        (60, 60, 60 + CLOCK_JUMP, False),
        (60, 60, -3600, False),
    ],
)
def test_sleep_is_noticed(asked: float, monotonic: float, wall: float, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A wall clock that ran ahead, or a wait that took far too long; a wall clock set back is no sleep."""
    assert slept(asked, monotonic, wall) is expected
