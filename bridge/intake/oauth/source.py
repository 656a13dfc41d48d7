"""The access token of one mailbox: asked for when it is needed, kept until shortly before its end."""

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridge.config.oauth import OAuth
from bridge.errors import BridgeError
from bridge.intake.oauth.answer import Reply, granted_by
from bridge.intake.oauth.endpoint import ask
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.grant import Grant, grant_of, revealed
from bridge.intake.oauth.store import RefreshTokens
from bridge.metrics import TOKEN_EXPIRES
from bridge.points import Point, passing

MARGIN = 300.0
"""Seconds before its end from which a token is not used for a new sign-in."""

Ask = Callable[[Grant, ssl.SSLContext], Awaitable[Reply]]


@dataclass(slots=True, eq=False)
class AccessToken:
    """A token and when it ends, in seconds since 1970."""

    value: str = field(repr=False)
    expires_at: float
    renew_at: float
    used: bool = False
    """Whether a mail server has taken it once; one that it then refuses was ended before its time."""


class TokenSource:
    """Hands out the token of one mailbox. Whoever comes while one is asked for waits for the same one."""

    def __init__(
        self,
        name: str,
        oauth: OAuth,
        username: str,
        *,
        tls: Callable[[], ssl.SSLContext],
        clock: Callable[[], float],
        store: RefreshTokens | None = None,
        ask: Ask = ask,
    ) -> None:
        self._name = name
        self._oauth = oauth
        self._username = username
        self._tls = tls
        self._clock = clock
        self._store = store
        self._ask = ask
        self._one_flight = asyncio.Lock()
        self._token: AccessToken | None = None

    async def token(self, *, not_this: AccessToken | None = None) -> AccessToken:
        """A token that is good for a new sign-in; `not_this` is one that a mail server has just refused.

        Raises TokenFailure, and whatever `tls` raises.
        """
        async with self._one_flight:
            known = self._token
            if known is not None and known is not not_this and self._clock() < known.renew_at:
                return known
            self._token = None
            self._token = token = await self._fetch()
            return token

    async def _fetch(self) -> AccessToken:
        origin = self._origin()
        kept = await self._kept(origin) if origin else None
        grant = grant_of(self._oauth, self._username, refresh_token=kept, now=int(self._clock()))
        granted = granted_by(await self._ask(grant, self._tls()), *grant.secrets())
        passing(Point.ACCESS_GRANTED)
        rotated = granted.refresh_token
        if origin and rotated and rotated != grant.form["refresh_token"]:
            # On disk before the access token is used: a server may end the old one at any moment now.
            await self._keep(origin, rotated)
        now = self._clock()
        TOKEN_EXPIRES.labels(mailbox=self._name).set(now + granted.life)
        return AccessToken(
            granted.access_token, now + granted.life, now + granted.life - min(MARGIN, granted.life / 2)
        )

    def _origin(self) -> str:
        """A digest of the configured refresh token; empty where there is none."""
        if self._oauth.refresh_token is None:
            return ""
        return hashlib.sha256(revealed(self._oauth.refresh_token, "refresh_token").encode()).hexdigest()

    async def _kept(self, origin: str) -> str | None:
        try:
            return await self._store.refresh_token(self._name, origin) if self._store else None
        except BridgeError as error:
            raise TokenFailure(State.TRANSIENT, error.message, hint=error.hint) from error

    async def _keep(self, origin: str, token: str) -> None:
        if self._store is None:
            raise _not_kept(BridgeError("there is no state file", hint="start the service once; it makes it"))
        try:
            await self._store.keep_refresh_token(self._name, origin, token, now=round(self._clock() * 1000))
        except BridgeError as error:
            raise _not_kept(error) from error


def _not_kept(error: BridgeError) -> TokenFailure:
    return TokenFailure(
        State.TRANSIENT, f"the new refresh token cannot be kept: {error.message}", hint=error.hint
    )
