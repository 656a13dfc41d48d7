"""A folder of a mail server as a value, and a connection to it, for tests of what is read and when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.splitter import Parts, ResponseSplitter

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, eq=False)
class Mail:
    """One mail. Two of them may look the same."""

    header: bytes
    came: float
    """INTERNALDATE in seconds since 1970; it stays where a mail is moved."""

    @classmethod
    def made(cls, name: str, came: float, *, message_id: bool = True) -> "Mail":
        ident = f"Message-ID: <{name}@example.org>\r\n" if message_id else ""
        return cls(f"From: {name}@example.org\r\nSubject: {name}\r\n{ident}\r\n".encode(), came)


@dataclass
class ModelFolder:
    """What is in the folder, by UID."""

    uidvalidity: int = 1
    uidnext: int = 1
    mails: dict[int, Mail] = field(default_factory=dict)
    missing: bool = False
    vanish: set[int] = field(default_factory=set)
    """UIDs whose mail goes as soon as it was listed."""

    def add(self, mail: Mail, *, gap: int = 0) -> int:
        uid = self.uidnext + gap
        self.mails[uid] = mail
        self.uidnext = uid + 1
        return uid

    def remove(self, uid: int) -> Mail:
        return self.mails.pop(uid)

    def restore(self, uidnext: int) -> None:
        """Go back to how it was when this was UIDNEXT, as from a backup."""
        self.mails = {uid: mail for uid, mail in self.mails.items() if uid < uidnext}
        self.uidnext = uidnext

    def renumber(self, order: Random) -> None:
        mails = list(self.mails.values())
        order.shuffle(mails)
        self.mails = dict(enumerate(mails, start=1))
        self.uidnext = len(mails) + 1
        self.uidvalidity += 1


class ModelConnection:
    """What `Connection` is asked for, answered by the model. Each object stands for a connection of its own."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder

    async def examine(self, folder: str) -> Selected:
        if self._folder.missing:
            raise MailServerError(Kind.FOLDER_MISSING, f"folder {folder!r} is not there")
        return Selected(self._folder.uidvalidity, self._folder.uidnext, len(self._folder.mails))

    async def search(self, first: int, last: int, *_: str) -> list[int]:
        listed = [uid for uid in self._folder.mails if first <= uid <= last]
        for uid in self._folder.vanish & set(listed):
            self._folder.remove(uid)
        self._folder.vanish.clear()
        return listed

    async def existing(self, uids: Sequence[int]) -> list[int]:
        return [uid for uid in uids if uid in self._folder.mails]

    async def fetch(self, uids: Sequence[int], items: str, take: Callable[[Parts], None]) -> None:
        for uid in sorted(set(uids) & set(self._folder.mails)):
            ResponseSplitter(take).feed(_answer(uid, self._folder.mails[uid], items))


def _answer(uid: int, mail: Mail, items: str) -> bytes:
    came = datetime.fromtimestamp(mail.came, UTC)
    date = f"{came.day:02}-{MONTHS[came.month - 1]}-{came:%Y %H:%M:%S} +0000"
    told = b'* 1 FETCH (UID %d RFC822.SIZE 500 INTERNALDATE "%s"' % (uid, date.encode())
    if "HEADER" not in items:
        return told + b")\r\n"
    section = b"HEADER.FIELDS (MESSAGE-ID)" if "FIELDS" in items else b"HEADER"
    return told + b" BODY[%s]<0> {%d}\r\n%s)\r\n" % (section, len(mail.header), mail.header)
