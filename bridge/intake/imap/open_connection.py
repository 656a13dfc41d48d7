"""The way to a connection that is signed in: connect, greeting, TLS, capabilities, sign-in."""

import asyncio
import socket
import ssl

from aioimaplib import aioimaplib

from bridge.config.model import Mailbox
from bridge.config.secret import SecretError
from bridge.intake.imap.connection import Answer, Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.protocol import ImapProtocol, keep_library_silent
from bridge.intake.imap.sign_in import SignIn, refusal, way_to_sign_in
from bridge.intake.imap.tls import tls_context


async def open_connection(mailbox: Mailbox) -> Connection:
    """Connect and sign in. Raises MailServerError; then nothing is left open."""
    keep_library_silent()
    protocol = await _connect(mailbox)
    connection = Connection(protocol, mailbox.timeout)
    try:
        await connection.bounded(_greeting(protocol), "the connection (no greeting)")
        if mailbox.security == "starttls":
            await _start_tls(connection, protocol, mailbox)
        await connection.ask_capabilities()
        if protocol.state != aioimaplib.AUTH:
            await _sign_in(connection, protocol, mailbox)
            await connection.ask_capabilities()
    except BaseException:
        connection.abort(MailServerError(Kind.LOST, "the connection was not completed"))
        raise
    return connection


async def _greeting(protocol: ImapProtocol) -> bytes:
    return await protocol.greeting


async def _connect(mailbox: Mailbox) -> ImapProtocol:
    loop = asyncio.get_running_loop()
    context = await asyncio.to_thread(tls_context, mailbox.ca_file) if mailbox.security == "tls" else None
    place = f"{mailbox.host}:{mailbox.actual_port()}"
    try:
        async with asyncio.timeout(mailbox.timeout):
            _, protocol = await loop.create_connection(
                lambda: ImapProtocol(loop), mailbox.host, mailbox.actual_port(), ssl=context
            )
    except TimeoutError as error:
        raise MailServerError(
            Kind.TIMED_OUT,
            f"no connection to {place} within {mailbox.timeout:g} seconds",
            hint="check host, port and the firewall",
        ) from error
    except OSError as error:
        raise _no_connection(place, error) from error
    return protocol


def _no_connection(place: str, error: OSError) -> MailServerError:
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
        raise _no_connection(place, error) from error


async def _sign_in(connection: Connection, protocol: ImapProtocol, mailbox: Mailbox) -> None:
    try:
        password = mailbox.password.reveal()
    except SecretError as error:
        raise MailServerError(
            Kind.SECRET, str(error), hint=f"check mailbox[{mailbox.name}].password"
        ) from error
    way = way_to_sign_in(protocol.capabilities, mailbox.username, password)
    answer = await _carry_out(connection, protocol, way)
    if answer.result != "OK":
        raise refusal(answer.words, mailbox.username, password)
    protocol.state = aioimaplib.AUTH


async def _carry_out(connection: Connection, protocol: ImapProtocol, way: SignIn) -> Answer:
    answers = iter(way.answers)

    def answer_continuation(_: bytes) -> None:
        # "*" cancels an exchange that goes on longer than expected (RFC 9051 section 6.2.2).
        protocol.transport.write(next(answers, b"*") + b"\r\n")

    protocol.on_continuation = answer_continuation
    try:
        return await connection.command(way.command, *way.arguments)
    finally:
        protocol.on_continuation = None
