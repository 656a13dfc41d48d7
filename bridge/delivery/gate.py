"""The gate before the ACD: open, shut for a while, or open for one probe. A circuit breaker as a value."""

from dataclasses import dataclass

from bridge.acd.answer import Meaning
from bridge.delivery.retry import Patience, wait_seconds
from bridge.reason import Reason

FAILURES_IN_A_ROW = 5
"""So many failures without a success between them shut the gate."""
SLOW_PROBE_SECONDS = 60.0
"""Between two probes where only a person can mend it: a wrong token, a wrong address."""

_NOBODY_PASSES = frozenset({Meaning.UNAUTHORISED, Meaning.WRONG_ADDRESS})
_ACD_ANSWERED = frozenset({Meaning.CREATED, Meaning.UPDATED, Meaning.REFUSED})


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate's state. Times are seconds of one monotonic clock."""

    failures: int = 0
    """Failures in a row."""
    rounds: int = 0
    """How often it was shut in a row; 0 means it is open."""
    shut_until: float = 0.0
    cause: Reason = Reason.NONE

    @property
    def shut(self) -> bool:
        """Whether it was shut and no success has opened it again."""
        return self.rounds > 0


def places(gate: Gate, *, now: float, in_flight: int, concurrency: int) -> int:
    """How many requests may be begun now."""
    if not gate.shut:
        return max(0, concurrency - in_flight)
    if now < gate.shut_until:
        return 0
    return max(0, 1 - in_flight)


def after(
    gate: Gate,
    meaning: Meaning,
    reason: Reason,
    patience: Patience,
    *,
    now: float,
    chance: float,
    retry_after: float | None = None,
) -> Gate:
    """The gate after an answer.

    A refusal of one event shows that the ACD works. `Retry-After` shuts the gate for that time, since it speaks
    for the server and not for the event (RFC 9110 section 10.2.3).
    """
    if meaning in _ACD_ANSWERED:
        return Gate()
    failures = gate.failures + 1
    must_shut = meaning in _NOBODY_PASSES or retry_after is not None or failures >= FAILURES_IN_A_ROW
    if not must_shut or (gate.shut and now < gate.shut_until):
        # Answers of requests that were under way when it was shut say nothing new.
        return Gate(failures, gate.rounds, gate.shut_until, gate.cause)
    rounds = gate.rounds + 1
    wait = SLOW_PROBE_SECONDS if meaning in _NOBODY_PASSES else wait_seconds(rounds, patience, chance)
    return Gate(failures, rounds, now + max(wait, retry_after or 0.0), reason)
