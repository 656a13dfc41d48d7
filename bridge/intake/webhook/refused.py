"""A request that is answered without being taken in."""

from bridge.errors import MessageError

RETRY_AFTER_SECONDS = 10
"""Short enough for helpdesks that obey it only below a minute, long enough for a burst to pass."""


class RefusedError(MessageError):
    """Ends the checks: the answer's status, and the word for logs, status and `docs/webhooks.md`."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


def busy(reason: str, retry_after: int = RETRY_AFTER_SECONDS) -> RefusedError:
    """503 with Retry-After: several helpdesks drop a message for good on a 4xx, 429 included."""
    return RefusedError(503, reason, retry_after=retry_after)
