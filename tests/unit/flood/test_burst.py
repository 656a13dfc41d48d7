"""Bursts: what is far above a source's usual rate, and what only looks so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.flood.burst import SLOT_MS, SLOTS_REMEMBERED, is_burst, slot_of, usual_hour

NOW = 3_000_000 * SLOT_MS
SLOT = NOW // SLOT_MS


@pytest.mark.parametrize(
    ("age_in_slots", "newest", "expected"),
    [
        (0, None, SLOT),
        (30, SLOT - 40, SLOT - 30),
        (30, SLOT - 30, SLOT - 30),
        (30, SLOT - 24, SLOT - 30),
        (30, SLOT - 23, SLOT),
        (30, None, SLOT),
        (-5, SLOT - 1, SLOT),
    ],
)
def test_a_message_counts_when_its_source_got_it(
    age_in_slots: int, newest: int | None, expected: int
) -> None:
    """A backlog is spread over its own time; what is older than the newest of its source, or says it comes from
    the future, or comes from a source that nothing is known of, counts now.
    """
    assert slot_of(NOW - age_in_slots * SLOT_MS, newest=newest, now=NOW) == expected


def test_the_usual_hour_is_the_median_of_the_busy_ones() -> None:
    """Neither quiet nights nor one wild hour move it; the last hour and what is older than a week do not count."""
    day = {SLOT - 6 * hour: number for hour, number in ((10, 30), (11, 40), (12, 5000), (13, 50), (14, 20))}
    assert usual_hour(day, before=SLOT) == 40
    assert usual_hour(day | {SLOT - 1: 9000, SLOT - SLOTS_REMEMBERED - 1: 9000}, before=SLOT) == 40
    assert usual_hour({}, before=SLOT) == 0.0


@pytest.mark.parametrize(
    ("number", "usual", "expected"),
    [
        (200, 0.0, False),
        (2000, 0.0, False),
        (2001, 0.0, True),
        (201, 20.0, True),
        (201, 21.0, False),
        (400, 40.0, False),
        (401, 40.0, True),
    ],
)
def test_a_burst_is_more_than_both_bounds(number: int, usual: float, expected: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """More than the least number, and more than the factor times the usual hour."""
    assert is_burst(number, usual, least=200, factor=10.0) is expected


@given(
    st.integers(0, NOW),
    st.one_of(st.none(), st.integers(0, SLOT)),
    st.dictionaries(st.integers(0, SLOT), st.integers(0, 999)),
)
def test_slots_and_rates_are_always_sane(
    received_at: int, newest: int | None, counts: dict[int, int]
) -> None:
    """A slot is never in the future, and a rate is never negative."""
    assert 0 <= slot_of(received_at, newest=newest, now=NOW) <= SLOT
    assert usual_hour(counts, before=SLOT) >= 0
