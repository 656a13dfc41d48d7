"""What an answer of the ACD means for its item: a decision as a value, without clock, chance or network."""

from dataclasses import dataclass
from typing import Self

import tenacity

from bridge.acd.answer import Answer, Meaning
from bridge.config.acd import Acd
from bridge.ledger.item import Claimed, Settlement
from bridge.ledger.state import ItemState
from bridge.reason import Reason

LEAST_JITTER = 0.5
"""A wait is between this share of the computed time and all of it, so that retries spread out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited between tries and for how long in all, in seconds (`acd.retry_first` and the like)."""

    first: float
    cap: float
    give_up_after: float

    @classmethod
    def of(cls, acd: Acd) -> Self:
        """The configured one."""
        return cls(first=acd.retry_first, cap=acd.retry_cap, give_up_after=acd.give_up_after)


def wait_seconds(tries: int, patience: Patience, chance: float) -> float:
    """The wait after the try of this number (1 is the first): exponential, capped, jittered by `chance` in 0..1."""
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = max(1, tries)
    longest = tenacity.wait_exponential(multiplier=patience.first, max=patience.cap)(state)
    return longest * (LEAST_JITTER + (1 - LEAST_JITTER) * chance)


def decide(
    item: Claimed, answer: Answer, patience: Patience, *, now: int, chance: float, probing: bool = False
) -> Settlement:
    """What becomes of the item after this answer. `now` is in milliseconds; a probing try does not count."""
    match answer.meaning:
        case Meaning.CREATED:
            return _settlement(ItemState.CREATED, answer)
        case Meaning.UPDATED:
            return _settlement(ItemState.UPDATED, answer)
        case Meaning.REFUSED:
            return _settlement(ItemState.DEAD, answer)
        case Meaning.UNCERTAIN:
            return _settlement(ItemState.UNCERTAIN, answer)
        case Meaning.UNAUTHORISED | Meaning.WRONG_ADDRESS:
            return _settlement(ItemState.PENDING, answer, due_at=now, counts=False)
    return _later(item, answer, patience, now=now, chance=chance, probing=probing)


def _later(
    item: Claimed, answer: Answer, patience: Patience, *, now: int, chance: float, probing: bool
) -> Settlement:
    if now - item.accepted_at >= patience.give_up_after * 1000:
        words = f"given up after {patience.give_up_after:.0f} s; last: {answer.words}"
        return _settlement(ItemState.DEAD, answer, reason=Reason.GAVE_UP, words=words)
    wait = max(wait_seconds(item.tries + 1, patience, chance), answer.retry_after or 0)
    return _settlement(ItemState.PENDING, answer, due_at=now + round(wait * 1000), counts=not probing)


def _settlement(
    state: ItemState,
    answer: Answer,
    *,
    reason: Reason | None = None,
    words: str | None = None,
    due_at: int = 0,
    counts: bool = True,
) -> Settlement:
    return Settlement(
        state=state,
        outcome=answer.meaning,
        reason=answer.reason if reason is None else reason,
        words=answer.words if words is None else words,
        http_status=answer.status,
        acd_event_id=answer.event_id,
        says_the_same=answer.says_the_same,
        due_at=due_at,
        counts=counts,
    )
