"""What expressions and templates see of a message."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from bridge.message import Message
from bridge.routing.missing import MISSING

TYPES: Mapping[str, type | None] = {
    "source": str,
    "kind": str,
    "event": str,
    "folder": str,
    "sender": str,
    "sender_name": str,
    "recipient": str,
    "recipients": tuple,
    "subject": str,
    "text": str,
    "ticket_number": str,
    "ticket_url": str,
    "priority": str,
    "group": str,
    "auto": str,
    "spam": bool,
    "size": int,
    "received_at": datetime,
    "sent_at": datetime,
    "message_id": str,
    "references": tuple,
    "headers": None,
    "data": None,
}
"""Every variable with its type; None where the message itself decides which keys there are."""


def values_of(message: Message) -> dict[str, Any]:
    """The variables' values."""
    return {
        "source": message.source,
        "kind": message.kind.value,
        "event": message.event,
        "folder": message.folder,
        "sender": message.sender,
        "sender_name": message.sender_name,
        "recipient": message.recipient,
        "recipients": message.recipients,
        "subject": message.subject,
        "text": message.text,
        "ticket_number": message.ticket_number,
        "ticket_url": message.ticket_url,
        "priority": message.priority,
        "group": message.group,
        "auto": message.auto,
        "spam": message.spam,
        "size": message.size,
        "received_at": message.received_at,
        "sent_at": MISSING if message.sent_at is None else message.sent_at,
        "message_id": message.message_id,
        "references": message.references,
        "headers": Headers(message.headers),
        "data": MISSING if message.data is None else message.data,
    }


class Headers(Mapping[str, str]):
    """Header fields by name, in any case (RFC 5322 section 1.2.2)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class TextNeededError(Exception):
    """An expression looked at the text, which has not been fetched."""


def _needed(*_: object) -> NoReturn:
    raise TextNeededError


class UnfetchedText:
    """Stands for a text that has not been fetched; whatever looks into it raises TextNeededError."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment] # None is how Python says: not hashable
    __str__ = __len__ = __bool__ = __iter__ = __contains__ = __getitem__ = _needed
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = _needed
    __getattr__ = _needed


UNFETCHED = UnfetchedText()
