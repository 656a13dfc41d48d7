"""A webhook's body becomes a message. Pure: the same values give the same message."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.errors import MessageError
from bridge.intake.handover import Unreadable
from bridge.intake.mail.identification import read_ids
from bridge.intake.webhook.address import split_address
from bridge.intake.webhook.expression import EvaluationError
from bridge.intake.webhook.fields import link_of, moment_of, text_of
from bridge.intake.webhook.jsonbody import LENIENT, read_json
from bridge.intake.webhook.source import Source
from bridge.intake.webhook.text import one_line, without_surrogates
from bridge.message import Kind, Message

MAX_FIELD = 500
MAX_SUBJECT = 1000
MAX_TEXT = 32_768
MAX_HEADER = 1000
MAX_PLACE = 200
NOTHING_FOUND = "neither ticket number nor sender nor subject was found; does the preset fit this helpdesk?"


class _NothingFoundError(MessageError):
    """The body is JSON, but not of the helpdesk that the preset is for."""


def map_body(
    source: Source,
    *,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    received_at: datetime,
) -> Message | Unreadable:
    """The message of a body, or what is to be quarantined instead. It never raises.

    `body` is decompressed, `received_at` in UTC. A field that cannot be made stays empty and marks the
    message as degraded; a body that is no JSON, or in which nothing is found, is unreadable.
    """
    try:
        return _message(source, body, _readable_headers(source, headers), query, received_at)
    except MessageError as error:
        return unreadable(source, body, received_at, error.message)
    except Exception as error:  # noqa: BLE001 - whatever one body does, the next one must be taken in
        return unreadable(source, body, received_at, f"{type(error).__name__} while mapping")


def unreadable(source: Source, raw: bytes, received_at: datetime, detail: str) -> Unreadable:
    """A request that was believed but cannot become a message."""
    digest = hashlib.sha256(raw).hexdigest()
    return Unreadable(
        source=source.name,
        kind=Kind.TICKET,
        place=digest,
        digest=digest,
        received_at=received_at,
        detail=detail,
        raw=raw,
        size=len(raw),
    )


def _message(
    source: Source, body: bytes, headers: dict[str, str], query: Mapping[str, str], received_at: datetime
) -> Message:
    parsed = read_json(body)
    scope = {
        "body": parsed.data,
        "headers": headers,
        "query": dict(query),
        "base_url": source.webhook.base_url or "",
    }
    reading = _Reading(source, scope, notes=[LENIENT] if parsed.lenient else [])
    delivery = reading.whole("delivery")
    digest = hashlib.sha256(delivery.encode() if delivery else body).hexdigest()
    fields = _fields(reading)
    if not (fields["ticket_number"] or fields["sender"] or fields["subject"]):
        raise _NothingFoundError(NOTHING_FOUND)
    return Message(
        source=source.name,
        kind=Kind.TICKET,
        place=one_line(delivery, MAX_PLACE) or digest,
        digest=digest,
        received_at=received_at,
        size=len(body),
        headers=headers,
        data=parsed.data,
        degraded=bool(reading.notes),
        notes=tuple(reading.notes),
        **fields,
    )


def _fields(reading: "_Reading") -> dict[str, Any]:
    """The fields that routes see."""
    named, sender = reading.address("sender")
    own_name = split_address(name := reading.line("sender_name"))
    recipient = reading.address("recipient")[1]
    return {
        "event": reading.event(),
        "sender": sender,
        "sender_name": (own_name[0] if own_name[1] else name) or named,
        "recipient": recipient,
        "recipients": (recipient,) if recipient else (),
        "subject": reading.line("subject", MAX_SUBJECT),
        "text": reading.line("text", MAX_TEXT),
        "ticket_number": reading.line("ticket_number"),
        "ticket_url": reading.link("ticket_url"),
        "priority": reading.line("priority"),
        "group": reading.line("group"),
        "sent_at": reading.moment("sent_at"),
        # In the form that mails have it in, so that the two can be compared.
        "message_id": next(iter(read_ids(reading.line("message_id"))), ""),
    }


@dataclass(slots=True)
class _Reading:
    """Reads fields one by one, and notes what had to be left out."""

    source: Source
    scope: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def whole(self, name: str) -> str:
        """The field's text, uncut."""
        expression = self.source.fields.get(name)
        if expression is None:
            return ""
        try:
            text = text_of(expression.of(self.scope))
        except EvaluationError as error:
            return self._left_out(name, error.message)
        return self._left_out(name, "is a list or an object") if text is None else without_surrogates(text)

    def line(self, name: str, limit: int = MAX_FIELD) -> str:
        return one_line(self.whole(name), limit)

    def address(self, name: str) -> tuple[str, str]:
        text = self.line(name, MAX_SUBJECT)
        found = split_address(text)
        if text and not found[1]:
            self._left_out(name, "is no mail address")
        return found

    def link(self, name: str) -> str:
        text = self.whole(name)
        return link_of(text) or (self._left_out(name, "is no http(s) address") if text else "")

    def moment(self, name: str) -> datetime | None:
        text = self.line(name)
        moment = moment_of(text) if text else None
        if text and moment is None:
            self._left_out(name, "is no time")
        return moment

    def event(self) -> str:
        """Our word for the event, else the helpdesk's own; `received` where it gives none."""
        word = self.line("event")
        return self.source.events.get(word.lower(), word) or "received"

    def _left_out(self, name: str, why: str) -> str:
        self.notes.append(f"{name} was left out: {why}")
        return ""


def _readable_headers(source: Source, headers: Mapping[str, str]) -> dict[str, str]:
    """Header values by lower-case name, of several the first, without what proves the sender."""
    readable: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower not in readable and not source.hides(lower):
            readable[lower] = one_line(value, MAX_HEADER)
    return readable
