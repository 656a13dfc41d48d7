"""What the copies of one letter have in common, whatever way each of them came. Pure.

A mail that was moved keeps its whole header; a copy that came by a list, or into another mailbox, has other fields of
transport. What its author wrote is the same in all of them (RFC 5322 section 3.6): Message-ID, Date, From and Subject.
One of these alone is not enough, since machines write the same Message-ID into many mails.
"""

from hashlib import sha256
from typing import Literal

from bridge.message import Message

Scope = Literal["folder", "mailbox", "everywhere"]
WRITTEN = ("message-id", "date", "from", "subject")


def letter_of(message: Message, scope: Scope, provider_id: int | None = None) -> str:
    """A digest that the copies within this scope share; empty where this one has none.

    `provider_id` is what the mail server calls the message in all folders of an account (X-GM-MSGID). Within one
    mailbox it goes before all else.
    """
    if scope == "folder":
        return ""
    account = message.source if scope == "mailbox" else ""
    if account and provider_id is not None:
        return _digest(account, str(provider_id))
    if not message.message_id:
        return ""
    return _digest(account, *(message.headers.get(name, "") for name in WRITTEN))


def _digest(*parts: str) -> str:
    # No part holds a NUL: reading has taken them out.
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
