import pytest

from bridge.acd.answer import Meaning
from bridge.delivery.gate import FAILURES_IN_A_ROW, SLOW_PROBE_SECONDS, Gate, after, places
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
    assert went(shut, meaning) == Gate()
    assert went(went(Gate(), Meaning.LATER), meaning) == Gate()


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
