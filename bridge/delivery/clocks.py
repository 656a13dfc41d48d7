"""Time and chance, handed in so that tests own them."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The wall clock in seconds since 1970, a clock that only goes forward, and a number from 0 to 1."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class SetBack:
    """How far the wall clock was set back, as the monotonic one tells.

    A clock that is only slewed is followed from look to look; one that is set forward, and a machine that slept, count
    for nothing.
    """

    LEAST = 1.0
    """Seconds from which on it counts."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._ahead = self._now_ahead()

    def seconds(self) -> float:
        """How far since the last look; 0.0 where it was not."""
        before, self._ahead = self._ahead, self._now_ahead()
        back = before - self._ahead
        return back if back >= self.LEAST else 0.0

    def _now_ahead(self) -> float:
        return self._clocks.wall() - self._clocks.monotonic()
