"""An order to read mail that came before its folder was watched."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOrder:
    """Which old mail of a folder is to be read, and how far that has come. A folder has one at a time.

    It is made by a first start other than `now`, or by an operator (`acd-bridge mailbox backfill`).
    """

    source: str
    """The mailbox's name in the configuration."""
    folder: str
    since: int | None = None
    """Mails whose INTERNALDATE is earlier are left alone; milliseconds since 1970."""
    uids: str | None = None
    """The only UIDs that are wanted, as a sequence-set (RFC 9051 section 9); None: all."""
    uidvalidity: int = 0
    """What gives the UIDs their meaning; 0 where the order was not begun yet."""
    next_uid: int = 1
    last_uid: int = 0
    """Everything from `next_uid` to this one is still to be read."""
    ended: bool = False
    words: str = ""
    """Why it ended before all was read."""
    taken: int = field(default=0, compare=False)
    """How many new items it made so far; counted by the state file."""
    known: int = field(default=0, compare=False)
    """How many of the mails had an item already."""
    asked_at: int = field(default=0, compare=False)
    """When it was given; milliseconds since 1970."""

    @property
    def is_whole(self) -> bool:
        """Whether it covers every mail up to `last_uid`."""
        return self.since is None and self.uids is None

    def progress(self) -> str:
        """Where it stands, in words."""
        if self.ended:
            how = f"ended early: {self.words}" if self.words else "done"
        elif not self.uidvalidity:
            how = "waiting"
        else:
            how = f"at UID {self.next_uid} of {self.last_uid}"
        return f"{how}; {self.taken} taken, {self.known} known"
