"""How far a connection that says nothing can be trusted. Pure: the clocks are handed in."""

SHORTEST_SLICE = 15.0
"""Seconds that IDLE is left alone at least, however much it missed."""
RECOVERY = 1.25
"""How much longer a slice becomes after a poll that IDLE had told everything of."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds that a push is left alone after one, and after many in a row, that told of no new mail."""
CLOCK_JUMP = 30.0
"""Seconds by which two clocks may differ over one wait before the machine is taken to have slept."""


class IdleSlice:
    """How long IDLE goes on before it is begun anew: shorter where it missed mail, slowly longer again."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._shortest = min(SHORTEST_SLICE, longest)
        self.seconds = longest

    def missed(self, poll: float) -> None:
        """The poll, at this distance in seconds, found what IDLE had not told."""
        self.seconds = max(self._shortest, min(self.seconds, poll) / 2)

    def told_all(self) -> None:
        """The poll found nothing that IDLE had not told."""
        self.seconds = min(self._longest, self.seconds * RECOVERY)


class PushPause:
    """How long a push waits for its look: not at all, unless those before it told of nothing new.

    Some servers tell EXISTS each time that IDLE begins; without a pause each look would bring about the next one.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def looked(self, taken: int) -> None:
        """A push made the bridge look, which found so many new mails."""
        self.seconds = 0.0 if taken else min(LONGEST_PAUSE, max(FIRST_PAUSE, self.seconds * 2))


def slept(asked: float, monotonic: float, wall: float) -> bool:
    """Whether the machine slept, or this process stood still, during a wait: then the connection is of no more use,
    though nobody says so. Seconds that the wait was to take at most, and that passed by either clock.

    The monotonic clock of Linux stands still in a suspended machine, the wall clock does not (clock_gettime(2)).
    """
    return wall - monotonic > CLOCK_JUMP or monotonic - asked > CLOCK_JUMP
