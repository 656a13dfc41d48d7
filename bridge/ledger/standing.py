"""An item that another one stands for: what is stored of it, in the transaction that stores the item itself."""

import sqlite3
from dataclasses import dataclass, replace

from bridge.ledger.duplicates import DuplicateKind
from bridge.ledger.item import NewItem
from bridge.ledger.state import ItemState
from bridge.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The item that stands for a new one, which will have, or has, its event."""

    kind: DuplicateKind
    id: int
    key: str
    source: str
    accepted_at: int
    acd_event_id: int | None


_REASONS = {DuplicateKind.SAME_CASE: Reason.SAME_CASE, DuplicateKind.SAME_LETTER: Reason.SAME_LETTER}


def as_duplicate(item: NewItem, first: First) -> NewItem:
    """The item as it is stored. It keeps its event: it may be let go, or take the place of a first that fails."""
    return replace(item, state=ItemState.DUPLICATE, reason=_REASONS[first.kind])


def record(conn: sqlite3.Connection, item: NewItem, item_id: int, first: First, now: int) -> None:
    """Write down which item stands for this one, which was just stored."""
    message = item.message
    conn.execute(
        "INSERT INTO duplicates (kind, at, acd_event_id, item_id, key, source, sender, subject, ticket_number, "
        "first_item_id, first_key, first_source, first_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            first.kind, now, first.acd_event_id, item_id, item.key, item.source,
            message.get("sender", ""), message.get("subject", ""), message.get("ticket_number", ""),
            first.id, first.key, first.source, first.accepted_at,
        ),
    )  # fmt: skip
