"""Where a rotated refresh token is kept."""

from typing import Protocol


class RefreshTokens(Protocol):
    """Refresh tokens that a token server gave in place of the configured ones. Each may raise BridgeError.

    `origin` is a digest of the configured token that a kept one descends from: once an operator writes
    another one into the configuration, what was kept is of no more use.
    """

    async def refresh_token(self, mailbox: str, origin: str) -> str | None:
        """The newest refresh token of a mailbox, or None where the configured one is still the newest."""
        ...

    async def keep_refresh_token(self, mailbox: str, origin: str, token: str, *, now: int) -> None:
        """Keep it; return when it is on disk. `now` is in milliseconds since 1970."""
        ...
