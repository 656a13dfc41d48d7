"""What became of the requests of one webhook, for status and metrics."""

from datetime import UTC, datetime
from typing import Any

from bridge.metrics import WEBHOOK_REQUESTS


class Tally:
    """Counts of one webhook since the start, and the last of each kind."""

    def __init__(self, webhook: str) -> None:
        self._webhook = webhook
        self._counts = {"accepted": 0, "duplicates": 0, "unreadable": 0, "refused": 0, "failed": 0}
        self._last_accepted: float | None = None
        self._last_refusal: tuple[float, str] | None = None

    def took_in(self, now: float, *, new: bool, readable: bool) -> None:
        """A request got its 200."""
        kind = "duplicates" if not new else "accepted" if readable else "unreadable"
        self._counts[kind] += 1
        self._last_accepted = now
        WEBHOOK_REQUESTS.labels(webhook=self._webhook, status="200").inc()

    def refused(self, now: float, status: int, reason: str) -> None:
        """A request got another answer; 5xx is our own failure."""
        self._counts["failed" if status >= 500 else "refused"] += 1
        self._last_refusal = (now, reason)
        WEBHOOK_REQUESTS.labels(webhook=self._webhook, status=str(status)).inc()

    def as_dict(self) -> dict[str, Any]:
        """The counts, `last_accepted` (ISO 8601 or None) and `last_refusal` (`at` and `reason`, or None)."""
        refusal = self._last_refusal
        return {
            **self._counts,
            "last_accepted": None if self._last_accepted is None else _shown(self._last_accepted),
            "last_refusal": None if refusal is None else {"at": _shown(refusal[0]), "reason": refusal[1]},
        }


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
