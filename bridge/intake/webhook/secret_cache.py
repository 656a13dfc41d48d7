"""Secrets as they are now: read at use, and kept for some seconds."""

from collections.abc import Callable

import structlog

from bridge.config.secret import Secret, SecretError

log = structlog.get_logger("bridge.webhook")

KEPT_SECONDS = 10.0
"""After this long a secret's file is read again, so that a rotated one is seen without a restart."""


class SecretCache:
    """The value of one secret, or None while it cannot be had or used; each read that fails is logged.

    `usable` tells whether a value can be used at all.
    """

    def __init__(self, secret: Secret, *, webhook: str, usable: Callable[[str], bool]) -> None:
        self._secret = secret
        self._webhook = webhook
        self._usable = usable
        self._value: str | None = None
        self._read_at: float | None = None

    def value(self, now: float) -> str | None:
        """The secret as it was at most `KEPT_SECONDS` before `now`."""
        if self._read_at is None or not 0 <= now - self._read_at < KEPT_SECONDS:
            self._value = self._read()
            self._read_at = now
        return self._value

    def _read(self) -> str | None:
        try:
            value = self._secret.reveal()
        except SecretError as error:
            self._complain(str(error))
            return None
        if not self._usable(value):
            self._complain("it is not of the form that this helpdesk's signatures need")
            return None
        return value

    def _complain(self, why: str) -> None:
        log.error("webhook-secret-unusable", webhook=self._webhook, secret=self._secret.place(), error=why)
