"""Mail loops: buckets that fill with mails and drain with time."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.flood import loop
from bridge.flood.loop import WINDOW_MS, Bucket

QUIET = 600_000
MINUTE = 60_000


def let_through(times: list[int], *, limit: int, weight: int = 1) -> int:
    """How many mails pass before the line is crossed."""
    bucket = Bucket()
    for count, now in enumerate(times):
        bucket = loop.at(bucket, now, limit=limit, quiet=QUIET)
        if loop.crosses(bucket, weight, limit=limit):
            return count
        bucket = loop.filled(bucket, weight, now)
    return len(times)


def test_so_many_at_once_pass_and_the_next_one_crosses_the_line() -> None:
    """The limit is the number that may come at once; automatic mails count double."""
    assert let_through([1000] * 30, limit=20) == 20
    assert let_through([1000] * 30, limit=20, weight=loop.weight_of(automatic=True)) == 10


def test_a_steady_sender_below_the_rate_never_crosses_it() -> None:
    """Two a minute are twenty in ten minutes, for hours on end."""
    times = [count * MINUTE // 2 for count in range(1000)]
    assert let_through(times, limit=20) == 1000
    assert let_through([time // 4 for time in times], limit=20) < 40


def test_no_limit_lets_everything_through() -> None:
    """0 switches a bucket off."""
    assert let_through([0] * 5000, limit=0) == 5000


def test_a_loop_is_free_again_once_it_was_quiet() -> None:
    """While mails of it come, it goes on, however slowly; after the quiet time nothing is left of it."""
    bucket = loop.looping(Bucket(level=20, at=0), "first", 0)
    for minute in (9, 18, 27):
        bucket = loop.looping(
            loop.at(bucket, minute * MINUTE, limit=20, quiet=QUIET), "later", minute * MINUTE
        )
    assert (bucket.held, bucket.mails) == ("first", 4)
    assert loop.at(bucket, 36 * MINUTE, limit=20, quiet=QUIET).held == "first"
    assert loop.at(bucket, 37 * MINUTE, limit=20, quiet=QUIET) == Bucket(at=37 * MINUTE)


@given(st.lists(st.integers(0, 5 * WINDOW_MS), max_size=200), st.integers(1, 50))
def test_no_more_than_the_limit_and_what_drains_ever_passes(gaps: list[int], limit: int) -> None:
    """Whatever the times, clocks that step back included: what passes is bounded, and a level is never negative."""
    bucket, now, passed = Bucket(at=gaps[0] if gaps else 0), 0, 0
    for gap in gaps:
        now = max(now, gap)
        bucket = loop.at(bucket, gap, limit=limit, quiet=QUIET)
        assert 0 <= bucket.level <= limit
        if not loop.crosses(bucket, 1, limit=limit):
            bucket = loop.filled(bucket, 1, gap)
            passed += 1
    assert passed <= len(gaps)
