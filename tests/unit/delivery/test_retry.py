import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.answer import Answer, Meaning
from bridge.delivery.retry import Patience, decide, wait_seconds
from bridge.event import EventDraft
from bridge.ledger.item import Claimed
from bridge.ledger.state import ItemState
from bridge.reason import Reason

PATIENCE = Patience(first=1, cap=300, give_up_after=1000)
NOW = 2_000_000


def claimed(*, tries: int = 0, accepted_at: int = NOW) -> Claimed:
    draft = EventDraft(type=7, group=12, sender="anna@example.org", subject="Printer")
    return Claimed(
        id=1, key="k", source="s", conversation="c", attempt=tries + 1, tries=tries, accepted_at=accepted_at,
        event=draft,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("meaning", "state"),
    [
        (Meaning.CREATED, ItemState.CREATED),
        (Meaning.UPDATED, ItemState.UPDATED),
        (Meaning.REFUSED, ItemState.DEAD),
        (Meaning.UNAUTHORISED, ItemState.PENDING),
        (Meaning.WRONG_ADDRESS, ItemState.PENDING),
        (Meaning.LATER, ItemState.PENDING),
        (Meaning.NOT_SENT, ItemState.PENDING),
        (Meaning.UNCERTAIN, ItemState.UNCERTAIN),
    ],
)
def test_every_answer_has_its_state(meaning: Meaning, state: ItemState) -> None:
    """The table of what every answer means, for each meaning there is."""
    assert decide(claimed(), Answer(meaning=meaning), PATIENCE, now=NOW, chance=1).state is state


def test_every_meaning_is_in_the_table_above() -> None:
    """A new meaning cannot be forgotten here."""
    (marks,) = [mark for mark in test_every_answer_has_its_state.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined] # pytest adds it
    assert {meaning for meaning, _ in marks.args[1]} == set(Meaning)


def test_the_acds_words_and_event_are_kept() -> None:
    """What the ACD said goes into the settlement as it was."""
    answer = Answer(
        meaning=Meaning.REFUSED, reason=Reason.ACD_REFUSED, status=409, words="no such group", event_id=None
    )
    settlement = decide(claimed(), answer, PATIENCE, now=NOW, chance=1)
    assert (settlement.http_status, settlement.words, settlement.reason) == (
        409, "no such group", Reason.ACD_REFUSED,
    )  # fmt: skip
    assert (
        decide(
            claimed(), Answer(meaning=Meaning.CREATED, event_id=9), PATIENCE, now=NOW, chance=1
        ).acd_event_id
        == 9
    )


@pytest.mark.parametrize(("tries", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (5000, 300)])
def test_waits_double_up_to_the_cap(tries: int, seconds: float) -> None:
    """Without luck (chance 1) the wait is the whole of first * 2^(n-1), capped."""
    assert wait_seconds(tries, PATIENCE, 1) == seconds


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_jitter_stays_between_half_and_all(tries: int, chance: float) -> None:
    """Whatever chance says, a wait is never below half of the computed one and never above it."""
    assert wait_seconds(tries, PATIENCE, 1) / 2 <= wait_seconds(tries, PATIENCE, chance) <= PATIENCE.cap


def test_retry_after_is_obeyed_where_it_is_longer() -> None:
    """The ACD's own wish counts; a shorter one does not shorten our wait."""
    longer = Answer(meaning=Meaning.LATER, retry_after=60)
    assert decide(claimed(), longer, PATIENCE, now=NOW, chance=1).due_at == NOW + 60_000
    shorter = Answer(meaning=Meaning.LATER, retry_after=0.5)
    assert decide(claimed(tries=3), shorter, PATIENCE, now=NOW, chance=1).due_at == NOW + 8_000


@pytest.mark.parametrize("meaning", [Meaning.LATER, Meaning.NOT_SENT])
def test_time_runs_out(meaning: Meaning) -> None:
    """An item that failed for `give_up_after` becomes a dead letter, and the last words are kept."""
    answer = Answer(meaning=meaning, reason=Reason.ACD_FAILED, words="overload")
    still = decide(claimed(accepted_at=NOW - 999_999), answer, PATIENCE, now=NOW, chance=1)
    assert still.state is ItemState.PENDING
    over = decide(claimed(accepted_at=NOW - 1_000_000), answer, PATIENCE, now=NOW, chance=1)
    assert (over.state, over.reason) == (ItemState.DEAD, Reason.GAVE_UP)
    assert "overload" in over.words


def test_where_nobody_passes_no_try_is_used_up_and_no_time_runs_out() -> None:
    """A wrong token is not the event's fault: it stays due, uncounted, however old it is."""
    for meaning in (Meaning.UNAUTHORISED, Meaning.WRONG_ADDRESS):
        old = claimed(accepted_at=NOW - 10**9)
        settlement = decide(old, Answer(meaning=meaning), PATIENCE, now=NOW, chance=1)
        assert (settlement.due_at, settlement.counts) == (NOW, False)


def test_a_probe_is_no_try() -> None:
    """The one item that looks whether the ACD is back does not pay for it."""
    answer = Answer(meaning=Meaning.LATER)
    assert decide(claimed(), answer, PATIENCE, now=NOW, chance=1, probing=True).counts is False
    assert decide(claimed(), answer, PATIENCE, now=NOW, chance=1).counts is True
