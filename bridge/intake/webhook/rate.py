"""How often a webhook may be called."""


class TokenBucket:
    """Lets `rate` requests a second pass over a longer time, and twice as many at once (but at least one).

    Moments are seconds of any clock that mostly goes forward; a step back adds nothing and takes nothing.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, 2 * rate)
        self._tokens = self._most
        self._filled_at = now

    def take(self, now: float) -> float:
        """Take one token: 0 where there was one, else the seconds until there will be one."""
        wait = self.wait(now)
        if not wait:
            self._tokens -= 1.0
        return wait

    def wait(self, now: float) -> float:
        """The seconds until there is a token, without taking it: 0 where there is one."""
        self._tokens = min(self._most, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        return max(0.0, 1.0 - self._tokens) / self._rate
