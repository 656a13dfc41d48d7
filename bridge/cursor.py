"""How far a folder has been read."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCursor:
    """The place in a folder up to which every message is accounted for.

    UIDs are only meaningful together with their UIDVALIDITY (RFC 9051 section 2.3.1.1).
    """

    source: str
    """The mailbox's name in the configuration."""
    folder: str
    uidvalidity: int
    baseline: int
    """The first UID that is watched; smaller ones were there before and are left alone."""
    last_uid: int
    """Every UID up to and including this one is accounted for; the next to fetch is one larger."""
    first_at: int = field(default=0, compare=False)
    """When the folder was first seen (milliseconds since 1970); 0 where that is not stored yet."""
    moved_at: int = field(default=0, compare=False)
    """When the cursor was last stored."""
