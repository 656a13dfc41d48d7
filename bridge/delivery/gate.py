"""The gate before the ACD: open, shut for a while, or open for one probe. A circuit breaker as a value."""

from dataclasses import dataclass, replace

from bridge.acd.answer import Meaning
from bridge.delivery.retry import Patience, wait_seconds
from bridge.reason import Reason

FAILURES_IN_A_ROW = 5
"""So many failures without a success between them shut the gate."""
MOST_CONCURRENCY = 256
"""The bound of `acd.concurrency`."""
SLOW_PROBE_SECONDS = 60.0
"""Between two probes where only a person can mend it: a wrong token, a wrong address."""

LONGEST_PAUSE_SECONDS = 3600.0
"""However long one Retry-After asks to wait, everybody else is tried with a probe after this time."""
REFUSALS_TO_TELL = 10
"""So many refusals without a success between them are told as an alarm: it is not the events, then."""
TIMES_ALONE = 3
"""So often one item is forbidden while others pass, and it is its own fault."""

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
    easing: int = 0
    """After a pause, how many requests may be under way; one more with each success. 0: no bound of this kind."""
    refusals: int = 0
    """Refusals in a row."""

    @property
    def shut(self) -> bool:
        """Whether it was shut and no success has opened it again."""
        return self.rounds > 0


def places(gate: Gate, *, now: float, in_flight: int, concurrency: int) -> int:
    """How many requests may be begun now."""
    if not gate.shut:
        return max(0, min(concurrency, gate.easing or concurrency) - in_flight)
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
        refusals = gate.refusals + 1 if meaning is Meaning.REFUSED else 0
        return Gate(easing=_eased(gate), refusals=refusals)
    failures = gate.failures + 1
    must_shut = meaning in _NOBODY_PASSES or retry_after is not None or failures >= FAILURES_IN_A_ROW
    if not must_shut or (gate.shut and now < gate.shut_until):
        # Answers of requests that were under way when it was shut say nothing new.
        return replace(gate, failures=failures)
    rounds = gate.rounds + 1
    wait = SLOW_PROBE_SECONDS if meaning in _NOBODY_PASSES else wait_seconds(rounds, patience, chance)
    pause = max(wait, min(retry_after or 0.0, LONGEST_PAUSE_SECONDS))
    return Gate(failures, rounds, now + pause, reason, refusals=gate.refusals)


def _eased(gate: Gate) -> int:
    """What stood still for days goes on gently: a request more for each success, until that binds nothing."""
    if gate.shut:
        return 2
    return gate.easing + 1 if 0 < gate.easing < MOST_CONCURRENCY else 0


def worth_telling(refusals: int) -> bool:
    """Whether this number of refusals in a row is said aloud: 10, 100, 1000 and so on."""
    step = REFUSALS_TO_TELL
    while step < refusals:
        step *= 10
    return refusals == step


class Forbidden:
    """Items that got a 403, and how often others passed since: a filter before the ACD may dislike one mail.

    A 403 speaks of the client, so it pauses everybody. An item that gets it again and again while others pass in
    between is refused for itself.
    """

    def __init__(self) -> None:
        self._times: dict[int, int] = {}
        self._waiting: set[int] = set()
        """Items whose last 403 was not followed by a success of another yet."""

    def passed(self) -> None:
        """An event passed."""
        for item in self._waiting:
            self._times[item] = self._times.get(item, 0) + 1
        self._waiting.clear()

    def is_alone(self, item: int) -> bool:
        """Note that this item got a 403; whether it is its own fault."""
        if self._times.get(item, 0) >= TIMES_ALONE - 1:
            self.forget(item)
            return True
        if len(self._waiting) < MOST_CONCURRENCY:
            self._waiting.add(item)
        return False

    def forget(self, item: int) -> None:
        """The item is settled."""
        self._times.pop(item, None)
        self._waiting.discard(item)
