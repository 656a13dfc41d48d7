"""The mails of one account as values: folders, UIDs, UIDVALIDITY, and what people do with them."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Mail:
    """One mail; it stays the same one where it is moved."""

    label: str
    raw: bytes
    came: float
    """INTERNALDATE, in seconds since 1970."""
    flags: set[str] = field(default_factory=set)

    @property
    def header(self) -> bytes:
        """Up to and with the empty line."""
        return self.raw[: self.raw.index(b"\r\n\r\n") + 4]


@dataclass(slots=True, eq=False)
class Folder:
    """What is in a folder, by ascending UID."""

    name: str
    uidvalidity: int = 1
    uidnext: int = 1
    mails: dict[int, Mail] = field(default_factory=dict)
    told: list[Callable[[], None]] = field(default_factory=list)
    """Whoever has the folder open; called after each mail that comes."""

    def add(self, mail: Mail) -> int:
        """A mail comes; its UID."""
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.mails[uid] = mail
        for tell in list(self.told):
            tell()
        return uid

    def skip(self, uids: int) -> None:
        """Some UIDs are never used, as where mails came and went at once."""
        self.uidnext += uids

    def take(self, uid: int) -> Mail:
        """A mail goes."""
        return self.mails.pop(uid)

    def renumber(self) -> None:
        """All UIDs lose their meaning; the order stays."""
        self.mails = dict(enumerate(self.mails.values(), start=1))
        self.uidnext = len(self.mails) + 1
        self.uidvalidity += 1

    def place_of(self, uid: int) -> int:
        """The message sequence number (RFC 9051 section 2.3.1.2)."""
        return list(self.mails).index(uid) + 1
