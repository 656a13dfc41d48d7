"""The texts of those mails whose routes ask for them: a part of each mail, bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from bridge.intake.imap.body_structure import TextPart, first_text
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_response import parse_fetch
from bridge.intake.imap.grammar import GrammarError
from bridge.intake.imap.splitter import Parts
from bridge.intake.mail.quotes import own_words
from bridge.intake.mail.text import extract_text
from bridge.message import Message

MAX_TEXT = 64 * 1024
"""Bytes of the part that are fetched."""
AT_ONCE = 50
"""Mails asked about in one command, so that their texts fit in memory."""
NO_TEXT = "its text could not be fetched"


@dataclass(slots=True)
class _Texts:
    """What is known so far of the mails of one batch."""

    wanted: frozenset[int]
    parts: dict[int, TextPart | None] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)

    def take_structure(self, parts: Parts) -> None:
        try:
            fetched = parse_fetch(parts)
        except GrammarError:
            return  # the mail stays without a part, which is noted on it
        if fetched.uid in self.wanted and fetched.structure is not None:
            self.parts[fetched.uid] = first_text(fetched.structure)

    def take_part(self, parts: Parts) -> None:
        try:
            fetched = parse_fetch(parts)
        except GrammarError:
            return  # the mail stays without data, which is noted on it
        part = self.parts.get(fetched.uid)
        data = fetched.sections.get(part.section.encode()) if part else None
        if data is not None:
            self.data[fetched.uid] = data

    def text_of(self, uid: int) -> str | None:
        """The text, empty where the mail has none, or None where it could not be had."""
        part = self.parts.get(uid)
        if part is None:
            return "" if uid in self.parts else None
        data = self.data.get(uid)
        if data is None:
            return None
        return extract_text(
            data, content_type=part.content_type, charset=part.charset, encoding=part.encoding
        )


async def with_texts(connection: Connection, messages: dict[int, Message]) -> dict[int, Message]:
    """These messages with their texts. One whose text cannot be had is marked as degraded.

    Raises MailServerError where the connection is lost; that the server refuses the command is no reason to
    lose mail.
    """
    done: dict[int, Message] = {}
    remaining = iter(sorted(messages))
    while batch := list(islice(remaining, AT_ONCE)):
        texts = await _texts_of(connection, batch)
        done.update({uid: _with_text(messages[uid], texts.text_of(uid)) for uid in batch})
    return done


async def _texts_of(connection: Connection, uids: Sequence[int]) -> _Texts:
    texts = _Texts(frozenset(uids))
    try:
        await connection.fetch(uids, "(UID BODYSTRUCTURE)", texts.take_structure)
        for section in sorted({part.section for part in texts.parts.values() if part}):
            having = [uid for uid in uids if (part := texts.parts.get(uid)) and part.section == section]
            await connection.fetch(having, f"(UID BODY.PEEK[{section}]<0.{MAX_TEXT}>)", texts.take_part)
    except MailServerError as failure:
        if failure.kind is not Kind.REFUSED:
            raise
    return texts


def _with_text(message: Message, text: str | None) -> Message:
    if text is None:
        return without_text(message)
    return replace(message, text=own_words(text, message.subject))


def without_text(message: Message) -> Message:
    """The message, marked as degraded, since its text could not be had."""
    return replace(message, degraded=True, notes=(*message.notes, NO_TEXT))
