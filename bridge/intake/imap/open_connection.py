"""The way to a connection that is signed in: connect, greeting, TLS, capabilities, sign-in."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aioimaplib import aioimaplib

from bridge.config.mailbox import Mailbox
from bridge.config.secret import SecretError
from bridge.intake.imap.connection import Answer, Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.protocol import ImapProtocol, keep_library_silent
from bridge.intake.imap.sign_in import SignIn, refusal, way_to_sign_in
from bridge.intake.imap.tls import tls_context
from bridge.intake.imap.token import token_for, token_source
from bridge.intake.imap.xoauth2 import error_told, token_refusal, way_with_token
from bridge.intake.oauth.source import TokenSource

Received = Callable[[int], None]
"""Told how many bytes came, each time that some did."""


def uncounted(_: int) -> None:
    """Commands count nothing."""


class Reached(NamedTuple):
    """A server that has told its capabilities; nobody is signed in yet."""

    connection: Connection
    protocol: ImapProtocol


async def open_connection(
    mailbox: Mailbox, tokens: TokenSource | None = None, received: Received = uncounted
) -> Connection:
    """Connect and sign in. Raises MailServerError; then nothing is left open.

    `tokens` is where a mailbox with OAuth gets its token. One is made for this connection where none is
    given, which then knows the configured refresh token only. `received` is told of the bytes that come.
    """
    reached = await reach(mailbox, received)
    with _cut_where_it_fails(reached.connection):
        await sign_in(reached, mailbox, tokens or token_source(mailbox, None))
    return reached.connection


async def reach(mailbox: Mailbox, received: Received = uncounted) -> Reached:
    """Connect as far as sign-in. Raises MailServerError; then nothing is left open."""
    keep_library_silent()
    protocol = await _connect(mailbox, received)
    connection = Connection(protocol, mailbox.timeout)
    with _cut_where_it_fails(connection):
        await _await_greeting(connection, protocol, mailbox)
        if mailbox.security == "starttls":
            await _start_tls(connection, protocol, mailbox)
        await connection.ask_capabilities()
    return Reached(connection, protocol)


async def sign_in(reached: Reached, mailbox: Mailbox, tokens: TokenSource | None) -> None:
    """Sign in, with a token where there is a source of them. Raises MailServerError."""
    connection, protocol = reached
    if protocol.state == aioimaplib.AUTH:
        return
    if tokens is None:
        await _sign_in_with_password(connection, protocol, mailbox)
    else:
        await _sign_in_with_token(connection, protocol, mailbox, tokens)
    protocol.state = aioimaplib.AUTH
    await connection.ask_capabilities()
    await connection.introduce()


@contextmanager
def _cut_where_it_fails(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.abort(MailServerError(Kind.LOST, "the connection was not completed"))
        raise


async def _await_greeting(connection: Connection, protocol: ImapProtocol, mailbox: Mailbox) -> None:
    """A server that speaks TLS at once waits for the client's first word, and so says nothing (RFC 8314)."""
    try:
        await connection.bounded(_greeting(protocol), "the connection (no greeting)")
    except MailServerError as failure:
        if failure.kind is not Kind.TIMED_OUT or mailbox.security == "tls":
            raise
        raise MailServerError(
            failure.kind,
            failure.message,
            hint=f'does port {mailbox.actual_port()} speak TLS at once? Then use security = "tls"; else the '
            "server or the way to it hangs",
        ) from failure


async def _greeting(protocol: ImapProtocol) -> bytes:
    return await protocol.greeting


async def _connect(mailbox: Mailbox, received: Received) -> ImapProtocol:
    loop = asyncio.get_running_loop()
    context = await asyncio.to_thread(tls_context, mailbox.ca_file) if mailbox.security == "tls" else None
    place = f"{mailbox.host}:{mailbox.actual_port()}"
    try:
        async with asyncio.timeout(mailbox.timeout):
            _, protocol = await loop.create_connection(
                lambda: ImapProtocol(loop, received), mailbox.host, mailbox.actual_port(), ssl=context
            )
    except TimeoutError as error:
        raise MailServerError(
            Kind.TIMED_OUT,
            f"no connection to {place} within {mailbox.timeout:g} seconds",
            hint="check host, port and the firewall",
        ) from error
    except OSError as error:
        raise no_connection(place, error) from error
    return protocol


def no_connection(place: str, error: OSError) -> MailServerError:
    """What it means that there is no connection to this place."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailServerError(
            Kind.TLS,
            f"the certificate of {place} is not trusted: {error.verify_message}",
            hint="host must be the name in the certificate; name the issuer's certificate with ca_file",
        )
    if isinstance(error, ssl.SSLError):
        return MailServerError(
            Kind.TLS,
            f"{place} does not speak TLS as expected: {error.reason}",
            hint='port 993 wants security = "tls", port 143 security = "starttls"',
        )
    if isinstance(error, socket.gaierror):
        return MailServerError(
            Kind.DNS, f"the name of {place} cannot be resolved: {error.strerror}", hint="check host and DNS"
        )
    return MailServerError(
        Kind.UNREACHABLE,
        f"no connection to {place}: {error.strerror or type(error).__name__}",
        hint="check host and port, and whether the mail server runs",
    )


async def _start_tls(connection: Connection, protocol: ImapProtocol, mailbox: Mailbox) -> None:
    """RFC 9051 section 6.2.1. A greeting of PREAUTH would keep TLS from ever beginning (section 7.1.4)."""
    place = f"{mailbox.host}:{mailbox.actual_port()}"
    if protocol.state != aioimaplib.AUTH:
        await connection.ask_capabilities()
    if protocol.state == aioimaplib.AUTH or "STARTTLS" not in protocol.capabilities:
        raise MailServerError(
            Kind.STARTTLS_MISSING,
            f"{place} offers no STARTTLS",
            hint='the password was not sent; use security = "tls", or ask the server\'s operator',
        )
    context = await asyncio.to_thread(tls_context, mailbox.ca_file)
    protocol.expect_tls = True
    await connection.expect_ok("STARTTLS")
    protocol.tls_begins()
    try:
        protocol.transport = await connection.bounded(
            protocol.loop.start_tls(protocol.transport, protocol, context, server_hostname=mailbox.host),
            "the TLS handshake",
        )
    except OSError as error:
        raise no_connection(place, error) from error


async def _sign_in_with_password(connection: Connection, protocol: ImapProtocol, mailbox: Mailbox) -> None:
    assert mailbox.password is not None  # noqa: S101 - without it there is a source of tokens
    try:
        password = mailbox.password.reveal()
    except SecretError as error:
        raise MailServerError(
            Kind.SECRET, str(error), hint=f"check mailbox[{mailbox.name}].password"
        ) from error
    way = way_to_sign_in(protocol.capabilities, mailbox.username, password)
    answer, _ = await _carry_out(connection, protocol, way)
    if answer.result != "OK":
        raise refusal(answer.words, mailbox.username, password)


async def _sign_in_with_token(
    connection: Connection, protocol: ImapProtocol, mailbox: Mailbox, tokens: TokenSource
) -> None:
    """A token may be ended before its time: a refused one is tried once more as a new one."""
    token = await token_for(tokens)
    refused = await _try_token(connection, protocol, mailbox, token.value)
    if refused is not None and refused.kind is Kind.SIGN_IN_REFUSED and token.used:
        token = await token_for(tokens, not_this=token)
        refused = await _try_token(connection, protocol, mailbox, token.value)
    if refused is not None:
        raise refused
    token.used = True


async def _try_token(
    connection: Connection, protocol: ImapProtocol, mailbox: Mailbox, token: str
) -> MailServerError | None:
    way = way_with_token(protocol.capabilities, mailbox.username, token)
    answer, last = await _carry_out(connection, protocol, way)
    if answer.result == "OK":
        return None
    return token_refusal(answer.words, error_told(last), mailbox.username, token)


async def _carry_out(connection: Connection, protocol: ImapProtocol, way: SignIn) -> tuple[Answer, bytes]:
    """The answer, and the server's last continuation before it."""
    answers = iter(way.answers)
    last = b""

    def answer_continuation(line: bytes) -> None:
        nonlocal last
        last = line
        # "*" cancels an exchange that goes on longer than expected (RFC 9051 section 6.2.2).
        protocol.transport.write(next(answers, b"*") + b"\r\n")

    protocol.on_continuation = answer_continuation
    try:
        return await connection.command(way.command, *way.arguments), last
    finally:
        protocol.on_continuation = None
