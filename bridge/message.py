"""The message: what a source hands in, one shape for mail and ticket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Kind(StrEnum):
    """What a message is, whichever way it came."""

    MAIL = "mail"  #: a mail of an IMAP folder
    TICKET = "ticket"  #: a ticket event of a helpdesk's webhook


class Noticed(StrEnum):
    """How the bridge came to know of a message."""

    WEBHOOK = "webhook"  #: the helpdesk posted it
    PUSH = "push"  #: the mail server told of news while the connection waited (IDLE, RFC 2177)
    POLL = "poll"  #: the folder was looked at again, as it is every `poll` seconds
    LOOK = "look"  #: the first look after connecting, or one between two windows of old mail
    AUDIT = "audit"  #: it had been missed, and the audit found it
    RENUMBERING = "renumbering"  #: the folder was numbered anew and gone through
    BACKFILL = "backfill"  #: old mail was asked for, by a first start or an operator


class TicketCandidate(NamedTuple):
    """A ticket number that a mail seems to name, and what speaks for it."""

    number: str
    where: str
    """`subject`, `references`, or the header field's name."""
    form: str
    """The helpdesk that writes it so, `generic`, or `own N` for the N-th pattern of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail or one ticket event, read and cleaned: no NUL, CR, LF or lone surrogate in any text.

    Every public field but `place`, `digest`, `letter`, `ticket_candidates` and `notes` is a variable that routes see,
    by this name.
    """

    source: str
    """The name of the mailbox or webhook in the configuration."""
    kind: Kind
    place: str
    """Where in its source it was found, such as `INBOX/1700000000/42` or a delivery's ID."""
    digest: str
    """What tells this message from another one of the same source; see `bridge.new_item.item_key`."""
    received_at: datetime
    """When the source got it (INTERNALDATE, or the request's arrival). Aware, in UTC."""
    letter: str = ""
    """What its copies in other places share with it, where they have one event together; else empty."""
    event: str = "received"
    """`received` for mail; for tickets `created`, `replied`, `updated` or the helpdesk's own word."""
    folder: str = ""
    sender: str = ""
    """The sender's address, `local@domain`. Empty where none could be found."""
    sender_name: str = ""
    recipient: str = ""
    """The address of ours that it was sent to."""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    """The first text, bounded. Fetched only where a route asks for it."""
    ticket_number: str = ""
    ticket_url: str = ""
    priority: str = ""
    """The helpdesk's or the mail's own word for it."""
    group: str = ""
    """The helpdesk's own group or queue."""
    auto: str = ""
    """Why this is an automatic mail (`auto-reply`, `bounce`, `report`, `list`), or empty (RFC 3834)."""
    spam: bool = False
    size: int = 0
    """Bytes of the whole mail (RFC822.SIZE), or of the webhook's body."""
    sent_at: datetime | None = None
    """The Date header, where it can be read. Aware."""
    message_id: str = ""
    references: tuple[str, ...] = ()
    """In-Reply-To and References, oldest first, without doubles (RFC 5322 section 3.6.4)."""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    """Header fields by lower-case name, decoded; of several with one name the first."""
    data: Any = None
    """The webhook's body as JSON; None for mail."""
    degraded: bool = False
    """True where something had to be left out to read it at all."""
    ticket_candidates: tuple[TicketCandidate, ...] = ()
    """Every number that was found in a mail, the most trusted first; the first one is `ticket_number`."""
    notes: tuple[str, ...] = ()
    """What was repaired or left out, in words, without any of the message's own text."""
