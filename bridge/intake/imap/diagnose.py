"""The whole way to a watched mailbox, step by step, for `acd-bridge mailbox test`."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge.config.mailbox import Mailbox
from bridge.errors import Problem
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.open_connection import Reached, no_connection, reach, sign_in
from bridge.intake.imap.probe import near, problem_of
from bridge.intake.imap.token import token_for, token_source
from bridge.intake.oauth.source import TokenSource
from bridge.intake.oauth.store import RefreshTokens

SHOWN_ADDRESSES = 4
TOLD = ("IDLE", "UIDPLUS", "MOVE", "ESEARCH", "SASL-IR", "LITERAL+", "X-GM-EXT-1")
"""Capabilities that make a difference to somebody who looks for an error; the ways to sign in come with them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and what came of it."""

    name: str
    what: str
    seconds: float | None = None
    """How long it took; None where its time is a part of another step's."""
    problem: Problem | None = None
    """Where it failed: the setting to look at, what is wrong, what to do."""


async def diagnose(mailbox: Mailbox, refresh_tokens: RefreshTokens | None = None) -> AsyncIterator[Step]:
    """Each step as it is done, up to the first that fails. Changes nothing on the server."""
    walk = _Walk(mailbox, token_source(mailbox, refresh_tokens))
    try:
        async for step in walk.steps():
            yield step
    except MailServerError as failure:
        name = "tls" if failure.kind in {Kind.TLS, Kind.STARTTLS_MISSING} else walk.now
        yield Step(name, failure.message, walk.seconds, problem_of(mailbox, failure))
    finally:
        if walk.reached is not None:
            await walk.reached.connection.close()


class _Walk:
    def __init__(self, mailbox: Mailbox, tokens: TokenSource | None) -> None:
        self._mailbox = mailbox
        self._tokens = tokens
        self._began = time.monotonic()
        self.now = ""
        """The step that is being tried."""
        self.reached: Reached | None = None

    async def steps(self) -> AsyncIterator[Step]:
        mailbox = self._mailbox
        self._begin("name")
        addresses = await _addresses(mailbox)
        yield self._done(f"{mailbox.host} is {', '.join(addresses[:SHOWN_ADDRESSES])}")
        self._begin("tcp")
        yield self._done(f"connected to {await _peer(mailbox)}")
        self._begin("greeting")
        self.reached = await reach(mailbox)
        yield Step("tls", _tls_words(self.reached))
        yield Step("capabilities", _capabilities(self.reached.connection), self.seconds)
        if self._tokens is not None:
            self._begin("token")
            token = await token_for(self._tokens)
            yield self._done(f"a token for {round((token.expires_at - time.time()) / 60)} minutes")
        self._begin("sign-in")
        await sign_in(self.reached, mailbox, self._tokens)
        yield self._done("accepted")
        async for step in self._folders(self.reached.connection):
            yield step
            if step.problem is not None:
                return
        self._begin("idle")
        yield self._done(await _idle(self.reached.connection, mailbox))

    async def _folders(self, connection: Connection) -> AsyncIterator[Step]:
        for folder in self._mailbox.folders:
            self._begin(f"folder {folder}")
            try:
                selected = await connection.examine(folder)
            except MailServerError as failure:
                if failure.kind is not Kind.FOLDER_MISSING:
                    raise
                hint = near(folder, await connection.folders())
                key = f"mailbox[{self._mailbox.name}].folders"
                yield Step(self.now, failure.message, self.seconds, Problem(key, failure.message, hint))
                return
            yield self._done(f"{selected.exists} mails, the next has UID {selected.uidnext}")

    def _begin(self, name: str) -> None:
        self.now, self._began = name, time.monotonic()

    def _done(self, what: str) -> Step:
        return Step(self.now, what, self.seconds)

    @property
    def seconds(self) -> float:
        """Since the present step began."""
        return time.monotonic() - self._began


async def _addresses(mailbox: Mailbox) -> list[str]:
    port = mailbox.actual_port()
    try:
        async with asyncio.timeout(mailbox.timeout):
            found = await asyncio.get_running_loop().getaddrinfo(mailbox.host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise MailServerError(
            Kind.DNS, f"no answer about the name {mailbox.host!r}", hint="check this machine's DNS"
        ) from error
    except OSError as error:
        raise no_connection(f"{mailbox.host}:{port}", error) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _peer(mailbox: Mailbox) -> str:
    """Connect without a word, to tell a firewall from what is wrong with TLS."""
    place = f"{mailbox.host}:{mailbox.actual_port()}"
    try:
        async with asyncio.timeout(mailbox.timeout):
            _, writer = await asyncio.open_connection(mailbox.host, mailbox.actual_port())
    except TimeoutError as error:
        raise MailServerError(
            Kind.UNREACHABLE,
            f"no connection to {place} within {mailbox.timeout:g} seconds",
            hint="check host, port and the firewall",
        ) from error
    except OSError as error:
        raise no_connection(place, error) from error
    peer: Any = writer.get_extra_info("peername")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return f"{peer[0]} port {peer[1]}"


def _tls_words(reached: Reached) -> str:
    secured = reached.protocol.transport.get_extra_info("ssl_object")
    if secured is None:
        return 'none, as security = "none" says'
    until = (secured.getpeercert() or {}).get("notAfter", "an unknown time")
    return f"{secured.version()}, the certificate is trusted and holds until {until}"


def _capabilities(connection: Connection) -> str:
    found = sorted(
        one
        for one in connection.capabilities
        if one in TOLD or one.startswith("AUTH=") or one == "LOGINDISABLED"
    )
    return ", ".join(found) or "none beyond the common ones"


async def _idle(connection: Connection, mailbox: Mailbox) -> str:
    if connection.can_idle:
        await connection.examine(mailbox.folders[0])
        await connection.idle(0.0)
    if connection.can_idle:
        return "the server pushes new mail"
    return f"the server has no IDLE: folders are looked at every {mailbox.poll:g} seconds"
