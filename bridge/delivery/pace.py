"""How many events may be posted now under `acd.rate`: a token bucket as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The bucket. Times are seconds of one monotonic clock; a rate of 0 is none."""

    rate: float
    tokens: float = 1.0
    at: float = 0.0

    @property
    def _most(self) -> float:
        """What a pause saves up: a second's worth, so that it is no burst."""
        return max(1.0, self.rate)

    def allowed(self, now: float) -> float:
        """How many may be begun now; the part behind the point is the way to the next."""
        return min(self._most, self.tokens + max(0.0, now - self.at) * self.rate)

    def spent(self, now: float, events: int = 1) -> "Pace":
        """The bucket after so many were begun."""
        return Pace(self.rate, self.allowed(now) - events, now) if self.rate else self

    def places(self, free: int, now: float) -> int:
        """How many of so many free places may be used."""
        return min(free, int(self.allowed(now))) if self.rate else free

    def until_next(self, now: float) -> float:
        """Seconds until another one may be begun."""
        return max(0.0, 1 - self.allowed(now)) / self.rate if self.rate else 0.0
