"""A small IMAP server over a real socket that does what honest servers do not."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HEADER = b"Subject: mail-%d\r\nMessage-ID: <%d@example.org>\r\n\r\n"


@dataclass
class HostileServer:
    """Answers enough for a folder of `uids`. What it does wrong is set by the test before it connects."""

    uids: list[int] = field(default_factory=list)
    uidnext: int = 1
    greeting: bytes = b"* OK ready"
    capabilities: bytes = b"IMAP4rev1 IDLE"
    login: bytes = b"OK done"
    examine_without_uidnext: bool = False
    override: dict[str, Callable[[bytes], bytes | None]] = field(default_factory=dict)
    """By command: makes the whole answer of its arguments, `TAG` standing for the tag; None closes."""
    fetched: Callable[[int], bytes | None] = field(default=lambda uid: fetch_line(uid))  # noqa: PLW0108 - defined below
    """The answer for one UID; None closes the connection in the middle."""
    commands: list[str] = field(default_factory=list)
    """Every command that came, without tag."""
    tag: bytes = b""
    """Of the last command."""
    sign_ins: int = 0
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(self.greeting + b"\r\n")
            while line := await reader.readline():
                tag, _, rest = line.strip().partition(b" ")
                if tag == b"DONE":
                    tag, rest = self.tag, b"DONE"
                self.tag = tag
                answer = self._answer(rest)
                if answer is None:
                    break
                writer.write(answer.replace(b"TAG", tag))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def push(self, line: bytes) -> None:
        """Say something to everybody who is connected."""
        for writer in self._writers:
            writer.write(line + b"\r\n")

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()

    def arrive(self, uid: int) -> None:
        """A new mail, without telling."""
        self.uids.append(uid)
        self.uidnext = uid + 1

    def _answer(self, rest: bytes) -> bytes | None:
        words = rest.decode().split(" ")
        name = " ".join(words[:2] if words[0] == "UID" else words[:1])
        self.commands.append(rest.decode())
        if name in self.override:
            return self.override[name](rest)
        return self._honest(name, words)

    def _honest(self, name: str, words: list[str]) -> bytes | None:  # noqa: PLR0911 - a table of commands
        match name:
            case "CAPABILITY":
                return b"* CAPABILITY " + self.capabilities + b"\r\nTAG OK\r\n"
            case "LOGIN":
                self.sign_ins += 1
                return b"TAG " + self.login + b"\r\n"
            case "EXAMINE":
                uidnext = (
                    b"" if self.examine_without_uidnext else b"* OK [UIDNEXT %d] next\r\n" % self.uidnext
                )
                exists = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n" % len(self.uids)
                return exists + uidnext + b"TAG OK [READ-ONLY] done\r\n"
            case "STATUS":
                return b'* STATUS "INBOX" (UIDNEXT %d)\r\nTAG OK\r\n' % self.uidnext
            case "UID SEARCH":
                return b"* SEARCH" + b"".join(b" %d" % uid for uid in self._in(words[-1])) + b"\r\nTAG OK\r\n"
            case "UID FETCH":
                answer = self._fetch(words[2])
                return as_fields(answer) if answer and "HEADER.FIELDS" in " ".join(words[3:]) else answer
            case "IDLE":
                return b"+ idling\r\n"
            case "LOGOUT":
                return b"* BYE\r\nTAG OK\r\n"
        return b"TAG OK\r\n"

    def _fetch(self, uids: str) -> bytes | None:
        answers = [self.fetched(uid) for uid in self._in(uids)]
        return None if None in answers else b"".join(one for one in answers if one) + b"TAG OK done\r\n"

    def _in(self, text: str) -> list[int]:
        spans = [(int(low), int(high or low)) for low, high in re.findall(r"(\d+)(?::(\d+))?", text)]
        return [uid for uid in sorted(self.uids) if any(low <= uid <= high for low, high in spans)]


def fetch_line(uid: int, header: bytes | None = None, *, minute: int = 44) -> bytes:
    """A FETCH response as it should be."""
    header = HEADER % (uid, uid) if header is None else header
    date = b'INTERNALDATE "17-Jul-2026 02:%d:25 +0000"' % minute
    return b"* 1 FETCH (UID %d RFC822.SIZE 500 %s BODY[HEADER]<0> {%d}\r\n%s)\r\n" % (
        uid,
        date,
        len(header),
        header,
    )


def as_fields(answer: bytes) -> bytes:
    """The answer to who asked for the Message-ID field alone; that it holds other fields too, harms nobody."""
    return answer.replace(b"BODY[HEADER]<0>", b"BODY[HEADER.FIELDS (MESSAGE-ID)]<0>")


CAME = 1_784_256_265_000
"""INTERNALDATE of all mails here, if no other minute is given; in milliseconds since 1970."""


@asynccontextmanager
async def hostile(**settings: object) -> AsyncIterator[HostileServer]:
    """Such a server on a free port while the block runs."""
    server = HostileServer(**settings)  # type: ignore[arg-type]  # the settings of the dataclass
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for writer in server._writers:
            writer.transport.abort()
        await listener.wait_closed()
