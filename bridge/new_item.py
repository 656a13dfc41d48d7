"""From what an intake hands in to the item that the ledger stores: its state, its key, its conversation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from bridge.intake.handover import Incoming, Unreadable, Vanished
from bridge.ledger.item import NewItem
from bridge.ledger.state import ItemState
from bridge.message import Kind, Message, Noticed
from bridge.reason import Reason
from bridge.routing.decision import Decision, Verdict
from bridge.routing.router import Router
from bridge.same_case import NO_SAME_CASES, SameCases

log = structlog.get_logger("bridge.accept")

KEY_HEX_DIGITS = 20
"""80 bits: among a million items two share a key by chance once in 10^12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRules:
    """What the configuration says about making items, beside its routes."""

    mark: bool = False
    """Whether UserData that is free gets the item's key."""
    cases: SameCases = NO_SAME_CASES


PLAIN = ItemRules()


def new_item(
    incoming: Incoming, router: Router, rules: ItemRules = PLAIN, noticed: Noticed = Noticed.LOOK
) -> NewItem:
    """The item of what came in. Never raises for a message: what cannot be mapped is quarantined."""
    if isinstance(incoming, Unreadable):
        return _quarantined_unread(incoming, noticed)
    if isinstance(incoming, Vanished):
        return _vanished(incoming, noticed)
    try:
        decision = router.route(incoming)
    except Exception as error:
        log.exception("route-crashed", source=incoming.source, place=incoming.place)
        decision = Decision(
            verdict=Verdict.FAILED,
            reason=Reason.TEMPLATE_FAILED,
            detail=f"{type(error).__name__} while routing",
        )
    item = _routed(incoming, decision, rules.cases, noticed)
    return _marked(item) if rules.mark else item


_STATES = {
    Verdict.EVENT: ItemState.PENDING,
    Verdict.DROP: ItemState.FILTERED,
    Verdict.NO_ROUTE: ItemState.QUARANTINED,
    Verdict.FAILED: ItemState.QUARANTINED,
}


def _routed(message: Message, decision: Decision, cases: SameCases, noticed: Noticed) -> NewItem:
    state = _STATES[decision.verdict]
    return NewItem(
        key=item_key(message.source, message.digest, message.folder),
        source=message.source,
        kind=message.kind,
        place=message.place,
        conversation=conversation_of(message, cases.home_of(message.source)),
        state=state,
        reason=decision.reason,
        detail=decision.detail,
        route=decision.route,
        letter=message.letter,
        received_at=_milliseconds(message.received_at),
        event=decision.event,
        message=summary_of(message, noticed, decision.notes),
        # A mail stays in its folder; a ticket's body cannot be had again.
        raw=_body_of(message) if state is ItemState.QUARANTINED else None,
        same_case=cases.of(message.source),
    )


def _marked(item: NewItem) -> NewItem:
    if item.event is None or item.event.user_data:
        return item
    return replace(item, event=replace(item.event, user_data=item.key))


def _body_of(message: Message) -> bytes | None:
    # orjson refuses whole numbers of more than 64 bits, which a hostile body may hold.
    return json.dumps(message.data).encode() if message.kind is Kind.TICKET else None


def _quarantined_unread(unreadable: Unreadable, noticed: Noticed) -> NewItem:
    key = item_key(unreadable.source, unreadable.digest, unreadable.folder)
    return NewItem(
        key=key,
        source=unreadable.source,
        kind=unreadable.kind,
        place=unreadable.place,
        conversation=key,
        state=ItemState.QUARANTINED,
        reason=Reason.UNREADABLE,
        detail=unreadable.detail,
        received_at=_milliseconds(unreadable.received_at),
        message={"noticed": noticed, "size": unreadable.size},
        raw=unreadable.raw or None,
    )


def _vanished(vanished: Vanished, noticed: Noticed) -> NewItem:
    key = item_key(vanished.source, vanished.digest, vanished.folder)
    return NewItem(
        key=key,
        source=vanished.source,
        kind=Kind.MAIL,
        place=vanished.place,
        conversation=key,
        state=ItemState.VANISHED,
        reason=Reason.MESSAGE_VANISHED,
        received_at=0,
        message={"noticed": noticed, "folder": vanished.folder},
    )


def put_aside(item: NewItem, reason: Reason) -> NewItem:
    """The item as it is kept where nothing of it is to be posted; see `Handover.accept`."""
    if reason is Reason.LEFT_ALONE:
        # The place is accounted for; the message itself stays unknown, so that a backfill may still take it.
        return replace(
            item,
            key=item_key(item.source, f"{reason} {item.place}"),
            state=ItemState.FILTERED,
            reason=reason,
            detail="",
            route=None,
            event=None,
            raw=None,
        )
    if reason is not Reason.NONE and item.state is ItemState.PENDING:
        return replace(item, state=ItemState.HELD, reason=reason)
    return item


def item_key(source: str, digest: str, folder: str = "") -> str:
    """The key of an item: from its content and its place, so that the same message found again is the same item."""
    # No name holds a NUL, so that no two places can be written the same way.
    return hashlib.sha256(f"{source}\0{folder}\0{digest}".encode()).hexdigest()[:KEY_HEX_DIGITS]


def conversation_of(message: Message, home: str) -> str:
    """The key within which order holds: ticket number, else thread, else sender, else the message alone.

    `home` is the source whose ticket numbers they are: two helpdesks may well use the same one.
    """
    if message.ticket_number:
        return f"ticket {home} {message.ticket_number}"
    thread = message.references[0] if message.references else message.message_id
    if thread:
        return f"thread {thread}"
    if message.sender:
        return f"sender {message.sender.lower()}"
    return f"message {message.digest}"


def summary_of(message: Message, noticed: Noticed, notes: Sequence[str]) -> dict[str, Any]:
    """What an operator needs to recognise a message. Not its text, its headers or the webhook's body."""
    fields: dict[str, Any] = {
        "noticed": noticed,
        "event": message.event,
        "folder": message.folder,
        "sender": message.sender,
        "recipient": message.recipient,
        "subject": message.subject,
        "ticket_number": message.ticket_number,
        "ticket_candidates": [one._asdict() for one in message.ticket_candidates],
        "message_id": message.message_id,
        "priority": message.priority,
        "group": message.group,
        "auto": message.auto,
        "spam": message.spam,
        "size": message.size,
        "sent_at": message.sent_at.isoformat() if message.sent_at else "",
        "degraded": message.degraded,
        "notes": [*message.notes, *notes],
    }
    return {name: value for name, value in fields.items() if value}


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
