"""The headers of one window, as the server told them: merged by UID, bounded in memory."""

from dataclasses import dataclass, field, replace

from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_response import Fetched, merge, parse_fetch, uid_of_broken
from bridge.intake.imap.grammar import GrammarError
from bridge.intake.imap.splitter import Parts
from bridge.intake.imap.sync import Window

MAX_HEADER = 128 * 1024
"""Bytes of a header that are fetched. A list of 3,000 recipients fits."""
MAX_HEADERS = 16 * 1024 * 1024
"""Bytes of headers that are kept of one window; what is beyond is fetched again in the next one."""

ITEMS = f"UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER]<0.{MAX_HEADER}>"
"""No FLAGS: they are no input. PEEK leaves `\\Seen` alone (RFC 9051 section 6.4.5)."""


@dataclass(slots=True)
class Headers:
    """What came of a window so far. `take` is called with each FETCH response."""

    wanted: range | frozenset[int]
    fetched: dict[int, Fetched] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    """Why a response could not be read, by UID."""
    lost: int = 0
    """Responses that could not be read and told no UID."""
    left: set[int] = field(default_factory=set)
    """UIDs whose header was not kept, since the window had become too large."""
    vanished: frozenset[int] = frozenset()
    """UIDs that the server had listed and no longer has."""
    size: int = 0

    def take(self, parts: Parts) -> None:
        """Keep one response; one that nobody asked for is dropped."""
        try:
            fetched = parse_fetch(parts)
        except GrammarError as error:
            self._broken(parts, str(error))
            return
        uid = fetched.uid
        if uid not in self.wanted:
            return
        known = self.fetched.get(uid, Fetched(uid))
        # Nothing else was asked for, and no header twice; a server could fill the memory with either.
        asked = {
            name: part
            for name, part in fetched.sections.items()
            if name == b"HEADER" and name not in known.sections
        }
        size = len(asked.get(b"HEADER", b""))
        if self.size and self.size + size > MAX_HEADERS:
            self.left.add(uid)
            return
        self.size += size
        self.fetched[uid] = merge(known, replace(fetched, sections=asked, structure=None))

    def _broken(self, parts: Parts, why: str) -> None:
        uid = uid_of_broken(parts)
        if uid is None:
            self.lost += 1
        elif uid in self.wanted:
            self.broken[uid] = why

    def missing(self) -> list[int]:
        """UIDs that were asked for and of which nothing came."""
        if self.lost:
            return []
        return sorted(set(self.wanted).difference(self.fetched, self.broken, self.left))

    def headless(self) -> list[int]:
        """UIDs that the server told something of, and not the header."""
        told = (uid for uid, one in self.fetched.items() if b"HEADER" not in one.sections)
        return sorted(uid for uid in told if uid not in self.broken)

    def read_through(self, through: int) -> int:
        """The UID up to which all was read: less than asked where something had to be left for the next
        window.
        """
        return min(self.left) - 1 if self.left else through


async def fetch_headers(connection: Connection, window: Window, *more: str) -> Headers:
    """Fetch a window's headers, and `more` items of each mail.

    Raises MailServerError, also where a response was lost and nobody knows whose it was.
    """
    uids = window.uids
    headers = Headers(uids if isinstance(uids, range) else frozenset(uids))
    if uids:
        items = f"({' '.join((ITEMS, *more))})"
        await connection.fetch(uids, items, headers.take)
        await _ask_once_more(connection, headers, items)
    if headers.lost:
        raise MailServerError(Kind.PROTOCOL, "a FETCH response could not be read and told no UID")
    if headers.headless():
        raise MailServerError(Kind.PROTOCOL, "the server tells no header of a mail that is there")
    return headers


async def _ask_once_more(connection: Connection, headers: Headers, items: str) -> None:
    """What does not come, or comes without its header, is asked for twice: servers that are changing a folder leave
    out one or name another UID, and Dovecot tells no header of a mail that is being moved.

    UIDs of a range may never have existed. Those of a list did, and so did those without a header: what does not come
    twice is gone.
    """
    headless = headers.headless()
    if again := sorted({*headers.missing(), *headless}):
        for uid in headless:
            del headers.fetched[uid]
        await connection.fetch(again, items, headers.take)
        existed = headless if isinstance(headers.wanted, range) else again
        headers.vanished = frozenset(existed).intersection(headers.missing())
