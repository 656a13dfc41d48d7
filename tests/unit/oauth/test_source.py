"""When a token is asked for, and what is kept before it is used."""

import asyncio
import hashlib
import ssl
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from bridge.config.oauth import OAuth
from bridge.errors import StateFileError
from bridge.intake.oauth.answer import Reply
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.grant import Grant
from bridge.intake.oauth.source import MARGIN, TokenSource
from bridge.intake.oauth.store import RefreshTokens

MICROSOFT = {"provider": "microsoft365", "tenant": "t", "client_id": "id", "client_secret": "s"}
GOOGLE = {"provider": "google", "client_id": "id", "client_secret": "s", "refresh_token": "first"}


@dataclass
class Store:
    """Refresh tokens in memory, and what happened in which order."""

    kept: dict[tuple[str, str], str] = field(default_factory=dict)
    fails: bool = False

    async def refresh_token(self, mailbox: str, origin: str) -> str | None:
        return self.kept.get((mailbox, origin))

    async def keep_refresh_token(self, mailbox: str, origin: str, token: str, *, now: int) -> None:
        assert now > 0
        if self.fails:
            raise StateFileError("the disk is full", hint="free some space")
        self.kept[mailbox, origin] = token


@dataclass
class Bench:
    """A source with a clock and a token server of the test."""

    now: float = 1000.0
    answers: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    asked: list[Grant] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, grant: Grant, _tls: ssl.SSLContext) -> Reply:
        self.asked.append(grant)
        number = len(self.asked)
        await self.go_on.wait()
        answer = {"access_token": f"token-{number}", "expires_in": 3600}
        return Reply(self.status, {}, orjson.dumps(answer | (self.answers.pop(0) if self.answers else {})))

    def source(self, settings: dict[str, Any], store: RefreshTokens | None = None) -> TokenSource:
        self.go_on.set()
        return TokenSource(
            "support",
            OAuth(**settings),
            "u",
            tls=ssl.create_default_context,
            clock=lambda: self.now,
            store=store,
            ask=self.ask,
        )


async def test_kept_until_five_minutes_before_its_end() -> None:
    """One token serves all sign-ins until shortly before its end; then the next one is asked for."""
    bench = Bench()
    source = bench.source(MICROSOFT)
    assert (await source.token()).value == "token-1"
    bench.now += 3600 - MARGIN - 1
    assert (await source.token()).value == "token-1"
    bench.now += 1
    assert (await source.token()).value == "token-2"


async def test_short_lives() -> None:
    """A token that lives for less than the margin is used for half of its life, not asked for each time."""
    bench = Bench(answers=[{"expires_in": 60}])
    source = bench.source(MICROSOFT)
    await source.token()
    bench.now += 29
    assert (await source.token()).value == "token-1"
    bench.now += 1
    assert (await source.token()).value == "token-2"


async def test_single_flight() -> None:
    """Whoever comes while a token is asked for gets the same one."""
    bench = Bench()
    source = bench.source(MICROSOFT)
    bench.go_on.clear()
    waiting = [asyncio.create_task(source.token()) for _ in range(8)]
    await asyncio.sleep(0)
    bench.go_on.set()
    assert {token.value for token in await asyncio.gather(*waiting)} == {"token-1"}
    assert len(bench.asked) == 1


async def test_a_waiter_that_is_cancelled_harms_nobody() -> None:
    """The next caller asks anew."""
    bench = Bench()
    source = bench.source(MICROSOFT)
    bench.go_on.clear()
    waiting = asyncio.create_task(source.token())
    await asyncio.sleep(0)
    waiting.cancel()
    bench.go_on.set()
    assert (await source.token()).value == "token-2"


async def test_a_refused_token_is_replaced_once() -> None:
    """Two connections whose common token was refused get one new token, not two."""
    bench = Bench()
    source = bench.source(MICROSOFT)
    old = await source.token()
    first, second = await asyncio.gather(source.token(not_this=old), source.token(not_this=old))
    assert first is second
    assert len(bench.asked) == 2


async def test_a_failure_is_not_kept() -> None:
    """After a failure the next caller asks again; how soon, is the caller's business."""
    bench = Bench(status=503)
    source = bench.source(MICROSOFT)
    with pytest.raises(TokenFailure):
        await source.token()
    bench.status = 200
    assert (await source.token()).value == "token-2"


async def test_rotation() -> None:
    """A new refresh token is on disk before the access token is handed out, and is what is used next."""
    bench, store = Bench(answers=[{"refresh_token": "second"}]), Store()
    source = bench.source(GOOGLE, store)
    token = await source.token()
    origin = hashlib.sha256(b"first").hexdigest()
    assert store.kept == {("support", origin): "second"}
    await source.token(not_this=token)
    assert [grant.form["refresh_token"] for grant in bench.asked] == ["first", "second"]


async def test_the_same_refresh_token_is_not_written() -> None:
    """A server that repeats the token causes no write."""
    store = Store(fails=True)
    await Bench(answers=[{"refresh_token": "first"}]).source(GOOGLE, store).token()
    assert store.kept == {}


@pytest.mark.parametrize("store", [Store(fails=True), None])
async def test_a_rotated_token_that_cannot_be_kept(store: Store | None) -> None:
    """The access token is not used then; the failure says what to do."""
    source = Bench(answers=[{"refresh_token": "second"}]).source(GOOGLE, store)
    with pytest.raises(TokenFailure, match="cannot be kept") as caught:
        await source.token()
    assert caught.value.state is State.TRANSIENT
    assert caught.value.hint


async def test_a_new_configured_token_ends_the_kept_one() -> None:
    """Once an operator writes another refresh token, what descends from the old one is not used."""
    store = Store()
    await Bench(answers=[{"refresh_token": "second"}]).source(GOOGLE, store).token()
    bench = Bench()
    await bench.source(GOOGLE | {"refresh_token": "another"}, store).token()
    assert bench.asked[0].form["refresh_token"] == "another"
