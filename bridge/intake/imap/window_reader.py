"""One window of UIDs becomes what the mails say: headers, texts where a route wants them, and what vanished."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bridge.config.mailbox import Mailbox
from bridge.intake.handover import Handover, Incoming, Unreadable
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.copies import told_apart
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_window import Headers, fetch_headers
from bridge.intake.imap.letter import letter_of
from bridge.intake.imap.mail_text import with_texts, without_text
from bridge.intake.imap.suspicion import Suspicion, Way
from bridge.intake.imap.sync import Window
from bridge.intake.imap.take_in import message_of, unreadable, vanished
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.message import Message

MAX_STRIKES = 5
"""So often a single mail may break its connection, each time on a new one, before it is given up as
unreadable, or taken without its text where it is the text that does it.
"""
YIELD_EVERY = 32
"""Mails read between two chances for everything else in the process."""


@dataclass(frozen=True, slots=True)
class WindowRead:
    """What a window held, by UID, and up to where it was read: less than asked where it was too large."""

    mails: dict[int, Incoming]
    through: int
    size: int


class WindowReader:
    """Reads windows of one folder, and remembers which mail breaks the connection."""

    def __init__(
        self,
        mailbox: Mailbox,
        folder: str,
        handover: Handover,
        rules: ReadingRules = PLAIN,
        *,
        suspicion: Suspicion | None = None,
    ) -> None:
        self.careful = False
        """Whether mails are to be read one by one, until the one to blame is found."""
        self._mailbox = mailbox
        self._folder = folder
        self._handover = handover
        self._rules = rules
        self._strikes: dict[int, int] = {}
        self._text_strikes: dict[int, int] = {}
        self._suspects: set[int] = set()
        """UIDs during whose reading the connection was lost, and that were not read alone since."""
        self._suspicion = suspicion

    @property
    def suspects(self) -> bool:
        """Whether mails are written down before they are read. Then all that came before must be stored."""
        return self._suspicion is not None

    async def all_read(self) -> None:
        """Nothing is left to be read for now, so that no mail is to blame for anything."""
        self.careful = False
        self._suspects -= self._strikes.keys() | self._text_strikes.keys()
        self._strikes.clear()
        self._text_strikes.clear()
        if self._suspicion is not None:
            await self._suspicion.over()
            self._suspicion = None

    async def not_stored(self) -> None:
        """The state file did not take what was read. That mail is to blame for nothing that comes of it."""
        if self._suspicion is not None:
            await self._suspicion.acquit()

    async def read(
        self, connection: Connection, window: Window, uidvalidity: int, *, texts: bool = True
    ) -> WindowRead:
        """Fetch and read a window, or the first part of it.

        Raises MailServerError, and StateFileError where a mail cannot be written down; one mail's own faults never do.
        """
        way, window = Way.WHOLE, apart(window, self._suspects)
        if self._suspicion is not None:
            window, way = await self._suspicion.before(window, uidvalidity)
        headers = await self._fetch(connection, window, way)
        through = headers.read_through(window.through)
        mails = await self._mails(headers, through, uidvalidity, way)
        if texts and way is Way.WHOLE:
            asking = {
                uid: mail
                for uid, mail in mails.items()
                if isinstance(mail, Message) and self._handover.wants_text(mail)
            }
            mails.update(await self._texts(connection, asking))
        self._survived(window.uids)
        return WindowRead({uid: mails[uid] for uid in sorted(mails)}, through, headers.size)

    async def tell_apart(
        self, connection: Connection, mails: dict[int, Incoming], uidvalidity: int
    ) -> dict[int, Incoming]:
        """Give identical mails without a Message-ID keys of their own. All that came before must be stored."""
        return await told_apart(connection, self._handover, mails, uidvalidity)

    async def _fetch(self, connection: Connection, window: Window, way: Way) -> Headers:
        """The headers, or what is to be said in their place."""
        uid = window.uids[0] if len(window.uids) == 1 else 0
        if way is Way.NOT_AT_ALL:
            return Headers(frozenset([uid]), broken={uid: "reading it ended the bridge several times"})
        if self._strikes.get(uid, 0) >= MAX_STRIKES:
            return Headers(frozenset([uid]), broken={uid: f"fetching it failed {MAX_STRIKES} times"})
        with self._blaming(window.uids, self._strikes):
            return await fetch_headers(connection, window, *self._more(connection))

    async def _texts(self, connection: Connection, asking: dict[int, Message]) -> dict[int, Message]:
        """The mails with their texts; without it where asking for it has broken the connection again and again."""
        given_up = {uid for uid in asking if self._text_strikes.get(uid, 0) >= MAX_STRIKES}
        asked = {uid: mail for uid, mail in asking.items() if uid not in given_up}
        with self._blaming(asked, self._text_strikes):
            told = await with_texts(connection, asked)
        return told | {uid: without_text(asking[uid]) for uid in given_up}

    @contextmanager
    def _blaming(self, uids: Collection[int], strikes: dict[int, int]) -> Iterator[None]:
        """Mails that fail together make the next look begin with single ones, until the one to blame is found."""
        try:
            yield
        except MailServerError as failure:
            if failure.kind is not Kind.BUSY:
                self.careful = True
                self._suspects.update(uids)
                if len(uids) == 1:
                    (uid,) = uids
                    strikes[uid] = strikes.get(uid, 0) + 1
            raise

    def _survived(self, uids: Sequence[int]) -> None:
        """A mail that was read alone is to blame for nothing, unless it was given up."""
        both = self._strikes, self._text_strikes
        if len(uids) == 1 and all(strikes.get(uids[0], 0) < MAX_STRIKES for strikes in both):
            self._suspects.discard(uids[0])
            for strikes in both:
                strikes.pop(uids[0], None)

    def _more(self, connection: Connection) -> tuple[str, ...]:
        """What Gmail calls a mail in all its folders, where that is of use."""
        wanted = self._mailbox.one_event_for == "mailbox" and "X-GM-EXT-1" in connection.capabilities
        return ("X-GM-MSGID",) if wanted else ()

    async def _mails(self, headers: Headers, through: int, uidvalidity: int, way: Way) -> dict[int, Incoming]:
        source, folder = self._mailbox.name, self._folder
        found: dict[int, Incoming] = {
            uid: unreadable(why, uid, source, folder, uidvalidity) for uid, why in headers.broken.items()
        }
        found.update({uid: vanished(uid, source, folder, uidvalidity) for uid in headers.vanished})
        for count, (uid, fetched) in enumerate(headers.fetched.items(), start=1):
            if uid in found and b"HEADER" not in fetched.sections:
                continue
            mail = message_of(
                fetched,
                source=source,
                folder=folder,
                uidvalidity=uidvalidity,
                rules=self._rules,
                bare=way is Way.BARE,
            )
            found[uid] = self._with_letter(mail, fetched.provider_id)
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return {uid: mail for uid, mail in found.items() if uid <= through}

    def _with_letter(self, mail: Message | Unreadable, provider_id: int | None) -> Message | Unreadable:
        scope = self._mailbox.one_event_for
        if scope == "folder" or isinstance(mail, Unreadable):
            return mail
        return replace(mail, letter=letter_of(mail, scope, provider_id))


def apart(window: Window, suspects: AbstractSet[int]) -> Window:
    """The window up to the first suspect, or that one alone.

    So the one to blame is found even where nothing is stored before all of the folder was read.
    """
    uids = window.uids
    at = next((at for at, uid in enumerate(uids) if uid in suspects), None)
    if at is None or len(uids) == 1:
        return window
    return Window(uids[:at], uids[at] - 1) if at else Window(uids[:1], uids[0])
