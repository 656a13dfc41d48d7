"""The token bucket of `acd.rate`."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.pace import Pace


def test_without_a_rate_everything_may_go() -> None:
    """0 is no bound, and costs no waiting."""
    pace = Pace(0.0)
    assert pace.places(8, now=0) == 8
    assert pace.spent(0, 100) == pace
    assert pace.until_next(0) == 0


def test_one_every_two_seconds() -> None:
    """Rates below one a second are kept too; the time of the next one is told exactly."""
    pace = Pace(0.5).spent(0)
    assert pace.places(8, now=0) == 0
    assert pace.until_next(0) == 2
    assert pace.places(8, now=1.9) == 0
    assert pace.places(8, now=2) == 1


def test_a_pause_saves_up_a_second_and_no_more() -> None:
    """After an hour without events there is no burst."""
    pace = Pace(10).spent(0)
    assert pace.places(100, now=3600) == 10


@given(st.floats(0.1, 100), st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_never_more_than_the_rate_in_the_long_run(rate: float, pauses: list[float]) -> None:
    """Whatever the pauses are: as many as the time allows, and at most a second's worth beside it."""
    pace, now, begun = Pace(rate), 0.0, 0
    for pause in pauses:
        now += pause
        places = pace.places(1000, now)
        pace = pace.spent(now, places)
        begun += places
    assert begun <= now * rate + max(1.0, rate) + 1e-6


def test_a_clock_that_stands_still_gives_nothing() -> None:
    """Nor does one that goes back take anything away."""
    pace = Pace(1).spent(10)
    assert pace.places(1, now=10) == 0
    assert pace.allowed(5) == pace.allowed(10)
