"""One connection's bytes, sorted, without a socket."""

import asyncio
import socket
from typing import Any

import pytest
from aioimaplib import aioimaplib
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.protocol import BYE_GRACE, ImapProtocol
from bridge.intake.imap.splitter import Parts


class Transport:
    """Notes what is done to it, and tells the protocol of its end at once."""

    def __init__(self, protocol: ImapProtocol) -> None:
        self.protocol = protocol
        self.aborted = False
        self.paused = False
        self.socket = socket.socket()

    def get_extra_info(self, _: str) -> socket.socket:
        return self.socket

    def pause_reading(self) -> None:
        self.paused = True

    def abort(self) -> None:
        self.aborted = True
        self.socket.close()
        self.protocol.connection_lost(None)


def connected() -> tuple[ImapProtocol, Transport]:
    protocol = ImapProtocol(asyncio.get_running_loop())
    transport = Transport(protocol)
    protocol.connection_made(transport)
    return protocol, transport


def signed_in() -> tuple[ImapProtocol, Transport]:
    protocol, transport = connected()
    protocol.data_received(b"* PREAUTH hello\r\n")
    return protocol, transport


async def test_connection_is_watched_by_the_system() -> None:
    """Keepalive and the user timeout are set, so that a half-open connection ends by itself."""
    _, transport = connected()
    assert transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
    transport.abort()


@pytest.mark.parametrize(
    ("greeting", "state"), [(b"* OK hi", aioimaplib.NONAUTH), (b"* preauth hi", aioimaplib.AUTH)]
)
async def test_greetings(greeting: bytes, state: str) -> None:
    """The greeting tells whether one is signed in already."""
    protocol, transport = connected()
    protocol.data_received(greeting + b"\r\n")
    assert protocol.state == state
    assert protocol.greeting.result() == greeting
    transport.abort()


async def test_news_between_commands() -> None:
    """EXISTS and BYE that no command asked for are news; EXPUNGE and flag updates are not."""
    for line, expected in (
        (b"* 5 EXISTS", True),
        (b"* BYE x", True),
        (b"* 5 EXPUNGE", False),
        (b"* 1 FETCH (FLAGS ())", False),
    ):
        protocol, transport = signed_in()
        protocol.data_received(line + b"\r\n")
        assert protocol.news.is_set() is expected
        transport.abort()


async def test_a_farewell_that_is_said_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One BYE ends the connection after its grace, with its words; more of them take no memory."""
    protocol, transport = signed_in()
    timers: list[tuple[object, ...]] = []
    monkeypatch.setattr(protocol.loop, "call_later", lambda *timer: timers.append(timer))
    protocol.data_received(b"* BYE first\r\n" + b"* BYE more\r\n" * 1000)
    [(seconds, end, failure)] = timers
    assert seconds == BYE_GRACE
    assert end == protocol.end
    assert "first" in str(failure)
    transport.abort()


async def test_continuations_that_nobody_waits_for_are_not_kept() -> None:
    """A server may say `+` as often as it likes to a command that asks for none."""
    protocol, transport = signed_in()
    command = aioimaplib.Command("LIST", "T1", loop=protocol.loop)
    protocol.pending_sync_command = command
    protocol.data_received(b"+ more\r\n" * 100)
    assert command.response.lines == []
    transport.abort()


async def test_collector_gets_what_is_its_own() -> None:
    """What the command in progress takes is no news; what it does not take still is."""
    protocol, transport = signed_in()
    taken: list[Parts] = []

    def collect(parts: Parts) -> bool:
        taken.append(parts)
        return b"SEARCH" in parts[0]

    protocol.collect = collect
    protocol.data_received(b"* SEARCH 1 2\r\n")
    assert not protocol.news.is_set()
    protocol.data_received(b"* 3 EXISTS\r\n")
    assert protocol.news.is_set()
    assert taken == [[b"* SEARCH 1 2"], [b"* 3 EXISTS"]]
    transport.abort()


async def test_a_collector_that_fails_ends_the_connection() -> None:
    """An answer that cannot be taken never leaves a connection that is out of step."""
    protocol, transport = signed_in()

    def collect(_: Parts) -> bool:
        raise KeyError("private words")

    protocol.collect = collect
    protocol.data_received(b"* SEARCH 1\r\n")
    assert transport.aborted
    assert protocol.dead.result().kind is Kind.PROTOCOL
    assert "private" not in str(protocol.dead.result())


async def test_tag_that_nobody_sent() -> None:
    """An answer to a command that was not sent ends the connection."""
    protocol, transport = signed_in()
    protocol.data_received(b"X1 OK done\r\n")
    assert transport.aborted
    assert protocol.dead.result().kind is Kind.PROTOCOL


async def test_first_reason_counts() -> None:
    """Who ended the connection first is what everybody is told."""
    protocol, _ = signed_in()
    protocol.end(MailServerError(Kind.TIMED_OUT, "first"))
    protocol.end(MailServerError(Kind.LOST, "second"))
    assert protocol.dead.result().message == "first"


async def test_words_of_bye_are_told() -> None:
    """A connection that was closed after BYE tells the server's words."""
    protocol, transport = signed_in()
    protocol.data_received(b"* BYE too many\x1b connections\r\n")
    transport.abort()
    assert "too many connections" in protocol.dead.result().message


@given(
    st.lists(
        st.binary(max_size=200) | st.sampled_from([b"* OK\r\n", b"* ", b"+ x\r\n", b"A1 OK\r\n", b"{3}\r\n"])
    )
)
def test_any_bytes_are_taken(chunks: list[bytes]) -> None:
    """Whatever a server sends: no exception leaves `data_received`; at worst the connection is ended."""

    async def feed() -> Any:
        protocol, transport = connected()
        for chunk in chunks:
            protocol.data_received(chunk)
            if transport.aborted:
                return
        transport.abort()

    asyncio.run(feed())
