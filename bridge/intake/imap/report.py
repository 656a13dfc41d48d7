"""What is known of a watched folder, for the status page and the metrics."""

from dataclasses import dataclass
from typing import Any

from bridge import metrics
from bridge.cursor import FolderCursor


@dataclass(slots=True)
class FolderReport:
    """A folder's state as people read it. Times are seconds since 1970."""

    mailbox: str
    folder: str
    connected: bool = False
    state: str = "not connected yet"
    last_look: float | None = None
    last_error: str = ""
    """Empty again once a look went well."""
    cursor: FolderCursor | None = None
    history: str = ""
    """How far the last order to read old mail has come, in words."""
    last_audit: float | None = None
    unaccounted: int | None = None
    """How many mails the last audit found that the state file did not know."""

    def looked(self, now: float) -> None:
        """The folder was compared with its cursor, and everything in it is taken in."""
        self.connected, self.state, self.last_look, self.last_error = True, "watched", now, ""
        metrics.IMAP_CONNECTED.labels(mailbox=self.mailbox, folder=self.folder).set(1)
        metrics.IMAP_LAST_LOOK.labels(mailbox=self.mailbox, folder=self.folder).set(now)

    def audited(self, now: float, unaccounted: int) -> None:
        """The folder was compared with the state file, mail by mail."""
        self.last_audit, self.unaccounted = now, unaccounted
        metrics.IMAP_UNACCOUNTED.labels(mailbox=self.mailbox, folder=self.folder).set(unaccounted)

    def away(self, state: str, error: str = "") -> None:
        """The folder is not watched, and why."""
        self.connected, self.state = False, state
        self.last_error = error or self.last_error
        metrics.IMAP_CONNECTED.labels(mailbox=self.mailbox, folder=self.folder).set(0)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        cursor = self.cursor
        return {
            "folder": self.folder,
            "connected": self.connected,
            "state": self.state,
            "last_look": self.last_look,
            "last_error": self.last_error,
            "uidvalidity": cursor and cursor.uidvalidity,
            "baseline": cursor and cursor.baseline,
            "last_uid": cursor and cursor.last_uid,
            "history": self.history,
            "last_audit": self.last_audit,
            "unaccounted": self.unaccounted,
        }
