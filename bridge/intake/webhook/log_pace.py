"""How often the log tells one and the same thing."""

LOG_AGAIN_SECONDS = 10.0
"""One and the same event is logged at most this often: a stranger must not fill the disk with log lines."""


class LogPace:
    """Counts what is left out between two lines. Its words must be few: they are kept for ever.

    Moments are seconds of any clock; after a step back the next line is written at once.
    """

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def unlogged(self, what: str, now: float) -> int | None:
        """How many like it were not logged since the last one that was; None: do not log this one."""
        last = self._logged.get(what)
        if last is not None and 0 <= now - last < LOG_AGAIN_SECONDS:
            self._unlogged[what] = self._unlogged.get(what, 0) + 1
            return None
        self._logged[what] = now
        return self._unlogged.pop(what, 0)
