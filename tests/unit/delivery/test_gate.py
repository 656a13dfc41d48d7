import pytest

from bridge.acd.answer import Meaning
from bridge.delivery.gate import (
    FAILURES_IN_A_ROW,
    LONGEST_PAUSE_SECONDS,
    SLOW_PROBE_SECONDS,
    TIMES_ALONE,
    Forbidden,
    Gate,
    after,
    places,
    worth_telling,
)
from bridge.delivery.retry import Patience
from bridge.reason import Reason

PATIENCE = Patience(first=1, cap=300, give_up_after=1000)


def went(gate: Gate, *meanings: Meaning, now: float = 0, retry_after: float | None = None) -> Gate:
    for meaning in meanings:
        gate = after(
            gate, meaning, Reason.ACD_FAILED, PATIENCE, now=now, chance=1, retry_after=retry_after
        )  # fmt: skip
    return gate


def test_an_open_gate_lets_as_many_through_as_are_free() -> None:
    """Concurrency is the bound, and is never below none."""
    assert places(Gate(), now=0, in_flight=3, concurrency=8) == 5
    assert places(Gate(), now=0, in_flight=9, concurrency=8) == 0


@pytest.mark.parametrize("meaning", [Meaning.LATER, Meaning.NOT_SENT, Meaning.UNCERTAIN])
def test_failures_in_a_row_shut_it(meaning: Meaning) -> None:
    """One failure less leaves it open; the last one shuts it."""
    nearly = went(Gate(), *[meaning] * (FAILURES_IN_A_ROW - 1))
    assert not nearly.shut
    shut = went(nearly, meaning)
    assert shut.shut
    assert places(shut, now=0.5, in_flight=0, concurrency=8) == 0


@pytest.mark.parametrize("meaning", [Meaning.CREATED, Meaning.UPDATED, Meaning.REFUSED])
def test_an_answer_of_the_acd_opens_it(meaning: Meaning) -> None:
    """A refusal shows a working ACD as well as a success does; what failed before is forgotten."""
    shut = went(Gate(), *[Meaning.LATER] * FAILURES_IN_A_ROW)
    assert not went(shut, meaning).shut
    assert went(shut, meaning).failures == 0
    assert went(went(Gate(), Meaning.LATER), meaning).failures == 0


@pytest.mark.parametrize("meaning", [Meaning.UNAUTHORISED, Meaning.WRONG_ADDRESS])
def test_what_concerns_everybody_shuts_it_at_once_and_is_probed_slowly(meaning: Meaning) -> None:
    """One 401 is enough; the next look comes after the slow probe's time, each time again."""
    shut = went(Gate(), meaning, now=10)
    assert (shut.shut, shut.shut_until) == (True, 10 + SLOW_PROBE_SECONDS)
    again = went(shut, meaning, now=100)
    assert again.shut_until == 100 + SLOW_PROBE_SECONDS


def test_one_probe_at_a_time_when_its_time_has_come() -> None:
    """Half open: one request, no second beside it."""
    shut = went(Gate(), *[Meaning.LATER] * FAILURES_IN_A_ROW)
    assert places(shut, now=shut.shut_until, in_flight=0, concurrency=8) == 1
    assert places(shut, now=shut.shut_until, in_flight=1, concurrency=8) == 0


def test_a_failed_probe_shuts_it_for_longer() -> None:
    """Rounds double the wait up to the cap."""
    gate = went(Gate(), *[Meaning.LATER] * FAILURES_IN_A_ROW)
    waits = []
    for _ in range(12):
        now = gate.shut_until
        gate = went(gate, Meaning.LATER, now=now)
        waits.append(gate.shut_until - now)
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == PATIENCE.cap


def test_answers_of_requests_under_way_do_not_prolong_it() -> None:
    """Eight requests that fail together are one outage, not eight rounds."""
    shut = went(Gate(), *[Meaning.LATER] * FAILURES_IN_A_ROW)
    assert went(shut, *[Meaning.LATER] * 7).shut_until == shut.shut_until


def test_retry_after_shuts_it_for_that_time() -> None:
    """A server that asks for a pause gets it from everybody, at its first word."""
    assert went(Gate(), Meaning.LATER, retry_after=30).shut_until == 30


def test_nobody_waits_a_day_for_one_answer() -> None:
    """However long one Retry-After is, others are probed after an hour; its own item obeys it."""
    assert went(Gate(), Meaning.LATER, retry_after=86_400).shut_until == LONGEST_PAUSE_SECONDS


def test_after_a_pause_it_goes_on_gently() -> None:
    """Two at a time after the probe, one more with each success, and the bound of `concurrency` in the end."""
    gate = went(went(Gate(), *[Meaning.LATER] * FAILURES_IN_A_ROW), Meaning.CREATED)
    seen = []
    for _ in range(6):
        seen.append(places(gate, now=0, in_flight=0, concurrency=5))
        gate = went(gate, Meaning.CREATED)
    assert seen == [2, 3, 4, 5, 5, 5]
    assert places(went(gate, *[Meaning.CREATED] * 256), now=0, in_flight=0, concurrency=256) == 256


def test_refusals_in_a_row_are_counted_and_told_seldom() -> None:
    """A success begins anew; the alarm comes at 10, 100, 1000 and so on, and at no other number."""
    gate = went(Gate(), *[Meaning.REFUSED] * 25)
    assert gate.refusals == 25
    assert went(gate, Meaning.UPDATED).refusals == 0
    assert [number for number in range(20_000) if worth_telling(number)] == [10, 100, 1000, 10_000]


def test_one_that_is_forbidden_while_others_pass_is_refused_for_itself() -> None:
    """Only after others passed between its tries, often enough; two of them do not count for each other."""
    forbidden = Forbidden()
    for _ in range(TIMES_ALONE - 1):
        assert not forbidden.is_alone(1)
        assert not forbidden.is_alone(2)
        forbidden.passed()
    assert forbidden.is_alone(1)
    assert not forbidden.is_alone(1)


def test_a_wrong_token_makes_nobody_a_dead_letter() -> None:
    """While nobody passes, no item is its own fault, however often it is tried."""
    forbidden = Forbidden()
    assert not any(forbidden.is_alone(item) for _ in range(100) for item in range(3))


def test_what_is_settled_is_forgotten() -> None:
    """An item's former refusals do not count once it passed."""
    forbidden = Forbidden()
    for _ in range(TIMES_ALONE * 2):
        assert not forbidden.is_alone(1)
        forbidden.passed()
        forbidden.forget(1)
