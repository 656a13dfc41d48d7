"""Values for ledger tests, with what a test does not care about filled in."""

import sqlite3

from bridge.event import EventDraft
from bridge.ledger.forgetting import Forgotten, forget_items, forget_records, holding
from bridge.ledger.item import Claimed, NewItem, Settlement
from bridge.ledger.state import ItemState
from bridge.reason import Reason

DRAFT = EventDraft(type="Ticket", group="Support", sender="anna@example.org", subject="Printer on strike")


def new_item(
    key: str,
    *,
    conversation: str = "",
    state: ItemState = ItemState.PENDING,
    kind: str = "mail",
    place: str = "",
    source: str = "support",
    event: EventDraft | None = DRAFT,
    route: str | None = None,
    received_at: int = 1,
) -> NewItem:
    return NewItem(
        key=key,
        source=source,
        kind=kind,
        place=place or f"INBOX/1/{key}",
        conversation=conversation or f"thread {key}",
        state=state,
        route=route,
        received_at=received_at,
        message={"sender": "anna@example.org", "subject": "Printer on strike", "ticket_number": "DH-1"},
        event=event,
    )


def created(event_id: int) -> Settlement:
    return Settlement(state=ItemState.CREATED, outcome="created", http_status=200, acd_event_id=event_id)


def updated(event_id: int) -> Settlement:
    return Settlement(state=ItemState.UPDATED, outcome="updated", http_status=200, acd_event_id=event_id)


def later(due_at: int, *, counts: bool = True) -> Settlement:
    return Settlement(
        state=ItemState.PENDING, outcome="later", reason=Reason.ACD_FAILED, http_status=503, due_at=due_at,
        counts=counts,
    )  # fmt: skip


def dead() -> Settlement:
    return Settlement(
        state=ItemState.DEAD, outcome="refused", reason=Reason.ACD_REFUSED, words="no such group"
    )


def uncertain() -> Settlement:
    return Settlement(state=ItemState.UNCERTAIN, outcome="uncertain", reason=Reason.TIMED_OUT)


def keys_of(claimed: list[Claimed]) -> list[str]:
    return [item.key for item in claimed]


def forget(conn: sqlite3.Connection, address: str, now: int, *, drop_open: bool) -> Forgotten:
    """As `state forget` does it, at once."""
    items = forget_items(conn, holding(conn, address).keys, now=now, drop_open=drop_open)
    return items + forget_records(conn, address)
