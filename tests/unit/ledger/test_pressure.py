"""Whether more can be taken in."""

from pathlib import Path

import pytest

from bridge.errors import IntakePausedError
from bridge.ledger.pressure import NO_PRESSURE, Bounds, Pressure, free_bytes, pressure_of, waiting

BOUNDS = Bounds(most_open=1000, least_free=100)


def states(*steps: tuple[int, int]) -> list[tuple[bool, bool]]:
    """Whether live mail and old mail are stopped after each look, with so many items waiting and bytes free."""
    found, pressure = [], NO_PRESSURE
    for number, free in steps:
        pressure = pressure_of(pressure, waiting=number, free=free, bounds=BOUNDS)
        found.append((bool(pressure.live), bool(pressure.history)))
    return found


def test_the_outbox_is_bounded_and_does_not_flutter() -> None:
    """Old mail stops at half; what has stopped goes on when it is a tenth below its bound."""
    assert states((499, 999), (500, 999), (999, 999), (1000, 999), (901, 999), (899, 999), (449, 999)) == [
        (False, False),
        (False, True),
        (False, True),
        (True, True),
        (True, True),
        (False, True),
        (False, False),
    ]


def test_a_disk_that_is_nearly_full_stops_everything() -> None:
    """It goes on when a quarter more than the bound is free."""
    assert states((0, 100), (0, 99), (0, 110), (0, 125)) == [
        (False, False),
        (True, True),
        (True, True),
        (False, False),
    ]


def test_the_words_say_why() -> None:
    """The exception names the cause and that nothing is lost."""
    with pytest.raises(IntakePausedError, match="for now: the disk") as raised:
        Pressure(live="the disk").check(history=False)
    assert "goes on by itself" in raised.value.hint
    NO_PRESSURE.check(history=True)


def test_held_items_count_too(tmp_path: Path) -> None:
    """All that is open takes space and waits; what is settled does not."""
    assert waiting({"pending": 1, "sending": 2, "uncertain": 3, "held": 4, "created": 99}) == 10
    assert free_bytes(tmp_path / "state.db") > 0
