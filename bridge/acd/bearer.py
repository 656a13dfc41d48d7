"""The token: read where it is kept, remembered for a short while, read again when the ACD refuses it."""

import time
from collections.abc import Callable

from bridge.config.secret import SecretError

KEPT_SECONDS = 30.0
"""How long a token is used before it is read again: a rotated one is seen without a restart."""


class TokenUnusable(Exception):  # noqa: N818 - it is turned into an answer inside the client
    """The token cannot be had, or cannot be sent in a header."""


class Bearer:
    """The value of `Authorization` (RFC 6750 section 2.1)."""

    def __init__(self, token: Callable[[], str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._value = ""
        self._until = 0.0

    def value(self) -> str:
        """`Bearer TOKEN`. Raises TokenUnusable."""
        now = self._clock()
        if not self._value or now >= self._until:
            self._value = f"Bearer {self._read()}"
            self._until = now + KEPT_SECONDS
        return self._value

    def forget(self) -> None:
        """Read the token anew next time: the ACD refused this one."""
        self._value = ""

    def _read(self) -> str:
        try:
            token = self._token()
        except (SecretError, OSError) as error:
            raise TokenUnusable(f"the token cannot be read: {error}") from error
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise TokenUnusable("the token is empty or holds characters that no header can carry")
        return token
