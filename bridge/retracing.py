"""The routes, asked again about an item: what its message was is told from what is kept of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.ledger.item import Item
from bridge.message import Kind, Message
from bridge.routing.router import Router

UNKEPT = frozenset({"text", "headers", "data", "references", "recipients", "sender_name", "ticket_url"})
"""Variables of routes that an item's summary does not hold; see `bridge.new_item.summary_of`."""
_KEPT = (
    "event",
    "folder",
    "sender",
    "recipient",
    "subject",
    "ticket_number",
    "message_id",
    "priority",
    "group",
    "auto",
)


def retraced(item: Item, router: Router) -> Sequence[tuple[str, str]] | None:
    """The routes up to the one that decided, each with why it does not match; None where nothing is kept to ask about.

    They are the routes as they are now: where one of them matches today, the routes were changed since.
    """
    if not {"sender", "subject", "ticket_number"} & item.message.keys():
        return None
    asked: list[tuple[str, str]] = []
    for name, words in router.retrace(_message_of(item), UNKEPT):
        if name == item.route:
            break
        asked.append((name, words))
    return asked


def _message_of(item: Item) -> Message:
    kept = item.message
    sent_at = kept.get("sent_at")
    return Message(
        source=item.source,
        kind=Kind(item.kind),
        place=item.place,
        digest="",
        received_at=datetime.fromtimestamp(item.received_at / 1000, UTC),
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
        spam=bool(kept.get("spam")),
        size=kept.get("size", 0),
        **{name: kept.get(name, "") for name in _KEPT},
    )
