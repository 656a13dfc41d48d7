"""A window's headers become messages; what cannot be read becomes Unreadable. The next one goes on."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from bridge.intake.handover import Unreadable, Vanished
from bridge.intake.imap.fetch_response import Fetched
from bridge.intake.imap.fetch_window import MAX_HEADER
from bridge.intake.mail.bare import bare_header
from bridge.intake.mail.read import digest_of, read_mail
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.message import Kind, Message

NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for an INTERNALDATE that the server did not tell. Fixed, since it is part of what makes a mail
itself.
"""


def message_of(
    fetched: Fetched,
    *,
    source: str,
    folder: str,
    uidvalidity: int,
    rules: ReadingRules = PLAIN,
    bare: bool = False,
) -> Message | Unreadable:
    """One fetched mail as a message; with `bare` from the least of its header. Never raises."""
    header = fetched.sections.get(b"HEADER")
    if header is None:
        return unreadable("the server told no header", fetched.uid, source, folder, uidvalidity, fetched)
    size = fetched.size if fetched.size is not None else len(header)
    try:
        message = read_mail(
            bare_header(header) if bare else header,
            source=source,
            folder=folder,
            uidvalidity=uidvalidity,
            uid=fetched.uid,
            size=size,
            internaldate=fetched.internaldate or NO_DATE,
            rules=rules,
        )
    except Exception as error:  # noqa: BLE001 - one mail's exception must never reach another mail
        detail = f"its header could not be read ({type(error).__name__})"
        return unreadable(detail, fetched.uid, source, folder, uidvalidity, fetched)
    notes = _left_out(fetched, header)
    if bare:
        message = replace(message, digest=digest_of(header, message.received_at))
        notes.append("reading it ended the bridge, so that only its sender and subject were read")
    return replace(message, degraded=True, notes=(*message.notes, *notes)) if notes else message


def _left_out(fetched: Fetched, header: bytes) -> list[str]:
    notes = []
    if len(header) >= MAX_HEADER:
        notes.append(f"its header was longer than {MAX_HEADER} bytes and was cut")
    if fetched.internaldate is None:
        notes.append("the server told no INTERNALDATE")
    if fetched.size is None:
        notes.append("the server told no RFC822.SIZE")
    return notes


def unreadable(
    detail: str, uid: int, source: str, folder: str, uidvalidity: int, fetched: Fetched | None = None
) -> Unreadable:
    """A mail that could not be read. It stays in its folder; its place is all that is known of it."""
    place = f"{folder}/{uidvalidity}/{uid}"
    return Unreadable(
        source=source,
        kind=Kind.MAIL,
        place=place,
        digest=_digest(place),
        received_at=(fetched and fetched.internaldate) or NO_DATE,
        detail=detail,
        folder=folder,
        size=(fetched and fetched.size) or 0,
    )


def vanished(uid: int, source: str, folder: str, uidvalidity: int) -> Vanished:
    """A mail that the server had listed, and that was gone when it was to be read."""
    place = f"{folder}/{uidvalidity}/{uid}"
    return Vanished(source=source, place=place, digest=_digest(place), folder=folder)


def _digest(place: str) -> str:
    return sha256(place.encode("utf-8", "surrogatepass")).hexdigest()
