"""Is the mail at a UID still the one that was delivered? Decisions, without a server.

UIDVALIDITY and UID are to name one mail for ever (RFC 9051 section 2.3.1.1). A server that was restored from a backup
may give UIDs a second time all the same. What comes then came later, so that the time of arrival (INTERNALDATE) tells
it from the mail that had the UID before; the Message-ID tells apart what was put back with its old times. Nothing else
counts: servers estimate sizes and rewrite headers.
"""

from dataclasses import dataclass

from bridge.intake.imap.fetch_response import Fetched
from bridge.intake.mail.identification import message_id_of
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import split_fields
from bridge.ledger.mail_actions import MailAction

MAX_FIELDS = 4096
"""Bytes of a mail's Message-ID fields that are fetched."""
MESSAGE_ID = f"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.{MAX_FIELDS}>"
ITEMS = f"(UID RFC822.SIZE INTERNALDATE {MESSAGE_ID})"


@dataclass(frozen=True, slots=True)
class Told:
    """What the server told of one mail; None for what it did not tell."""

    size: int | None = None
    received_at: int | None = None
    """INTERNALDATE in milliseconds since 1970."""
    message_id: str | None = None
    """Empty for a mail without one."""

    @property
    def is_enough(self) -> bool:
        """Whether the mail can be told from others."""
        return self.received_at is not None and self.message_id is not None

    def and_(self, other: "Told") -> "Told":
        """What two responses told of one mail; a server may tell its items in several."""
        return Told(
            other.size if self.size is None else self.size,
            other.received_at if self.received_at is None else self.received_at,
            other.message_id if self.message_id is None else self.message_id,
        )


def told_by(fetched: Fetched) -> Told:
    """What one response told."""
    date = fetched.internaldate
    return Told(fetched.size, None if date is None else round(date.timestamp() * 1000), _message_id(fetched))


def _message_id(fetched: Fetched) -> str | None:
    # By its beginning: a server may write the names of the fields in its own way.
    fields = next(
        (part for name, part in fetched.sections.items() if name.startswith(b"HEADER.FIELDS")), None
    )
    return None if fields is None else message_id_of(split_fields(fields[:MAX_FIELDS], Repairs()))


def is_same(action: MailAction, told: Told) -> bool:
    """Whether the mail of which enough was told is the one of the action.

    Of a Message-ID with bytes outside ASCII the time alone decides: how those are read depends on the whole header.
    """
    message_id = action.message_id if action.message_id.isascii() else ""
    if message_id and message_id != told.message_id:
        return False
    return action.received_at == told.received_at if action.received_at else bool(message_id)
