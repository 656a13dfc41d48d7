"""One connection's bytes: aioimaplib's protocol with a receive path that is linear and bounded.

aioimaplib keeps tags, states and commands. It is handed tagged lines and IDLE's continuation only: its own way of
splitting recurses once per line, takes parentheses in subjects for structure and drops news between commands.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from typing import Any

from aioimaplib import aioimaplib

from bridge.intake.imap.failure import Kind, MailServerError, asked_wait, puts_off, shown
from bridge.intake.imap.splitter import Parts, ResponseSplitter

KEEPALIVE_IDLE = 60
KEEPALIVE_INTERVAL = 15
KEEPALIVE_PROBES = 4
USER_TIMEOUT_MS = (KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_PROBES) * 1000
"""Milliseconds that sent bytes may stay unacknowledged before the system gives the connection up (tcp(7))."""
BYE_GRACE = 5.0
"""Seconds a server has to close the connection after its BYE."""

_TAGGED = re.compile(rb"[A-Z0-9]+ (?:OK|NO|BAD)")
"""The beginning of an answer that the library takes as the end of a command."""

Collect = Callable[[Parts], bool]
"""Takes an untagged response of the command in progress; True where it was meant for it."""


def keep_library_silent() -> None:
    """The library logs all it receives, mail included, at DEBUG and parts of it at INFO."""
    logging.getLogger("aioimaplib.aioimaplib").setLevel(logging.WARNING)


class ImapProtocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]  # the library has no types
    """What the server says, sorted: answers to the command in progress, news, and the connection's end."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, received: Callable[[int], None] = lambda _: None
    ) -> None:
        super().__init__(loop)
        self._received = received
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.dead: asyncio.Future[MailServerError] = loop.create_future()
        """Done with the reason once the connection is lost. Every wait races with it."""
        self.news = asyncio.Event()
        """Set by EXISTS that no command asked for, and by BYE."""
        self.collect: Collect | None = None
        self.on_continuation: Callable[[bytes], None] | None = None
        self.expect_tls = False
        """Set while STARTTLS is asked for: nothing may follow its answer in the clear."""
        self._clear_ended = False
        self._farewell: MailServerError | None = None
        self._reason: MailServerError | None = None
        self._splitter = ResponseSplitter(self._response)

    def connection_made(self, transport: Any) -> None:
        """Watch over the connection even while nothing is sent: half-open ones must end."""
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        for level, name, value in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        ):
            connected.setsockopt(level, name, value)

    def data_received(self, d: bytes) -> None:
        """Count, split and sort. Whatever goes wrong here ends this connection, with the reason kept."""
        self._received(len(d))
        try:
            self._splitter.feed(d)
        except MailServerError as failure:
            self.end(failure)
        except Exception as error:  # noqa: BLE001 - the library and the collectors judge hostile bytes here
            self.end(
                MailServerError(
                    Kind.PROTOCOL, f"the server's answer could not be taken ({type(error).__name__})"
                )
            )
        if self._clear_ended and self._splitter.pending():
            self.end(_injected())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        if self.dead.done():
            return
        reason = f" ({type(exc).__name__})" if exc else ""
        self.dead.set_result(
            self._reason
            or self._farewell
            or MailServerError(Kind.LOST, f"the mail server closed the connection{reason}")
        )

    def end(self, failure: MailServerError) -> None:
        """Abort the connection for this reason. The first reason counts."""
        self._reason = self._reason or failure
        self.collect = None
        if self.transport is not None:
            self.transport.abort()

    @property
    def over(self) -> MailServerError | None:
        """Why nothing can be sent any more: the connection is lost, or was just cut."""
        return self.dead.result() if self.dead.done() else self._reason

    def tls_begins(self) -> None:
        """What comes from now on is encrypted. Raises MailServerError where the clear part had more to say.

        What a server sent before is forgotten (RFC 9051 section 6.2.1).
        """
        if self._reason is not None:
            raise self._reason
        self.expect_tls = self._clear_ended = False
        self.capabilities: set[str] = set()
        self.news.clear()

    def _response(self, parts: Parts) -> None:
        if self._clear_ended:
            raise _injected()
        line = parts[0]
        if line.startswith(b"* "):
            self._untagged(parts)
        elif line.startswith(b"+") and self.on_continuation is not None:
            self.on_continuation(line)
        elif line.startswith(b"+"):
            # The library would keep those of other commands, however many there are.
            if self.has_pending_idle_command():
                super().data_received(line + b"\r\n")
        elif _TAGGED.match(line):
            self.collect = None
            self._stop_reading_the_clear()
            super().data_received(line + b"\r\n")
        # Any other line is the rest of a literal that was told too short: the answer goes on behind it.

    def _untagged(self, parts: Parts) -> None:
        line = parts[0]
        if self.state == aioimaplib.CONNECTED:
            self._greeted(line)
        elif line[:6].upper() == b"* BYE ":
            # Before what a command collects: it may come in the middle of any answer (RFC 9051 section 7.1.5).
            self._bid_farewell(line[6:])
        elif self.collect is not None and self.collect(parts):
            return
        elif line.rstrip().upper().endswith(b" EXISTS"):
            self.news.set()

    def _bid_farewell(self, words: bytes) -> None:
        """The first one counts; a timer for each of a million would fill the memory."""
        if self._farewell is None:
            self._farewell = farewell(words)
            self.news.set()
            self.loop.call_later(BYE_GRACE, self.end, self._farewell)

    def _greeted(self, line: bytes) -> None:
        word = line[2:].split(b" ", 1)[0].upper()
        if word == b"OK":
            self.state = aioimaplib.NONAUTH
        elif word == b"PREAUTH":
            self.state = aioimaplib.AUTH
        else:
            words = line[6:] if word == b"BYE" else line[2:]
            said = f"the server does not want a connection: {shown(line[2:])}"
            wait = asked_wait(words.decode("utf-8", "replace"))
            self.end(MailServerError(Kind.BUSY, said, wait=wait))
            return
        if not self.greeting.done():
            self.greeting.set_result(line)

    def _stop_reading_the_clear(self) -> None:
        """RFC 9051 section 11.1: what follows the answer to STARTTLS in the clear is not the server's
        word.
        """
        if self.expect_tls:
            self._clear_ended = True
            self.transport.pause_reading()


def farewell(words: bytes) -> MailServerError:
    """What a BYE means: the connection is over, or the account is to be left alone for a while."""
    said = f"the server said BYE: {shown(words)}"
    return puts_off(words.decode("utf-8", "replace"), said) or MailServerError(Kind.LOST, said)


def _injected() -> MailServerError:
    return MailServerError(
        Kind.TLS,
        "something was sent in the clear after the answer to STARTTLS",
        hint='somebody may be tampering with the connection; use security = "tls"',
    )
