"""A mail's header block becomes a Message. No bytes whatsoever make it raise."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType

from bridge.intake.mail import classify
from bridge.intake.mail.clean import one_line
from bridge.intake.mail.correspondents import recipient_of, recipients_of, sender_of
from bridge.intake.mail.date import in_utc, read_date
from bridge.intake.mail.encoded_word import decode_words
from bridge.intake.mail.identification import message_id_of, references_of
from bridge.intake.mail.parts import text_part
from bridge.intake.mail.quotes import own_words
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.intake.mail.repairs import Repairs
from bridge.intake.mail.split import Fields, split_fields, split_message
from bridge.intake.mail.text import extract_text
from bridge.intake.mail.ticket_number import ticket_candidates
from bridge.message import Kind, Message

MAX_SUBJECT = 998
"""Characters; a line's length in RFC 5322 section 2.1.1."""


def read_mail(  # noqa: PLR0913 -- what FETCH tells of one mail; all by keyword
    header: bytes,
    *,
    source: str,
    folder: str,
    uidvalidity: int,
    uid: int,
    size: int,
    internaldate: datetime,
    rules: ReadingRules = PLAIN,
) -> Message:
    """The message of a raw header block (`BODY.PEEK[HEADER]`), RFC822.SIZE and INTERNALDATE. Never raises.

    What had to be repaired or left out stands in the message's notes.
    """
    place = f"{folder}/{uidvalidity}/{uid}"
    received_at = in_utc(internaldate)
    try:
        return _read(header, source, folder, place, size, received_at, rules)
    except Exception as error:  # noqa: BLE001 -- the last net: a mail that shows a fault of ours is still a customer's
        return Message(
            source=source, kind=Kind.MAIL, place=place, folder=folder, received_at=received_at, size=size,
            digest=digest_of(header, received_at), degraded=True,
            notes=(f"the header could not be read ({type(error).__name__}); please report it",),
        )  # fmt: skip


def read_eml(
    raw: bytes,
    *,
    source: str,
    folder: str = "",
    received_at: datetime,
    want_text: bool,
    rules: ReadingRules = PLAIN,
) -> Message:
    """The message of a whole mail, as in an .eml file. Never raises."""
    header, body = split_message(raw)
    message = read_mail(
        header,
        source=source,
        folder=folder,
        uidvalidity=0,
        uid=0,
        size=len(raw),
        internaldate=received_at,
        rules=rules,
    )
    return replace(message, text=own_words(_text_of(header, body), message.subject)) if want_text else message


def _text_of(header: bytes, body: bytes) -> str:
    part = text_part(split_fields(header, Repairs()), body)
    if part is None:
        return ""
    return extract_text(
        part.data, content_type=part.content_type, charset=part.charset, encoding=part.encoding
    )


def _read(
    header: bytes,
    source: str,
    folder: str,
    place: str,
    size: int,
    received_at: datetime,
    rules: ReadingRules = PLAIN,
) -> Message:
    repairs = Repairs()
    fields = split_fields(header, repairs)
    headers = _decoded(fields)
    sender = sender_of(fields, repairs)
    recipients = recipients_of(fields, repairs)
    subject = _subject(headers, repairs)
    message_id = message_id_of(fields)
    references = references_of(fields, repairs)
    candidates = ticket_candidates(headers, references, subject, rules.tickets)
    return Message(
        source=source,
        kind=Kind.MAIL,
        place=place,
        digest=digest_of(header, received_at),
        received_at=received_at,
        folder=folder,
        sender=sender.address,
        sender_name=sender.name,
        recipient=recipient_of(fields, recipients, rules.addresses),
        recipients=recipients,
        subject=subject,
        ticket_number=candidates[0].number if candidates else "",
        ticket_candidates=candidates,
        priority=classify.priority(headers),
        auto=classify.automatic(headers),
        spam=classify.spam(headers),
        size=size,
        sent_at=read_date(headers.get("date", "")),
        message_id=message_id,
        references=references,
        headers=MappingProxyType(headers),
        degraded=repairs.degraded,
        notes=tuple(repairs.notes),
    )


def _decoded(fields: Fields) -> dict[str, str]:
    """Every field's first value, decoded, on one line."""
    # Most values are plain, and without spaces around them: they are taken as they are, which saves two calls.
    return {
        name: value
        if "=?" not in (value := values[0]) and value.isprintable()
        else one_line(decode_words(value))
        for name, values in fields.items()
    }


def _subject(headers: Mapping[str, str], repairs: Repairs) -> str:
    subject = headers.get("subject", "")
    if len(subject) > MAX_SUBJECT:
        repairs.left_out(f"the subject was longer than {MAX_SUBJECT} characters")
        subject = subject[:MAX_SUBJECT].rstrip()
    return subject


def digest_of(header: bytes, received_at: datetime) -> str:
    """What tells a mail from others. It depends neither on UIDs nor on RFC822.SIZE: Exchange estimates it, and Dovecot
    tells another one after a move within Maildir. Identical mails without a Message-ID are told apart by the intake.
    """
    return sha256(header + f"\0{received_at.isoformat()}".encode()).hexdigest()
