"""A header block becomes a Message."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bridge.intake.mail import read
from bridge.intake.mail.read import MAX_SUBJECT, read_eml, read_mail
from bridge.message import Kind, Message

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=1)))
HEADER = (
    b"Return-Path: <anna@example.org>\r\nDelivered-To: support@example.net\r\n"
    b"From: =?utf-8?q?Anna_M=C3=BCller?= <anna@example.org>\r\n"
    b"To: Support <help@example.net>\r\nCc: bernd@example.org\r\n"
    b"Subject: =?utf-8?q?Re:_Rechnung_f=C3=BCr?=\r\n =?utf-8?q?_November_[Ticket#42]?=\r\n"
    b"Date: Mon, 23 Nov 2026 08:15:00 +0100\r\nMessage-ID: <m1@example.org>\r\n"
    b"References: <r1@example.net>\r\nIn-Reply-To: <r2@example.net>\r\nX-Priority: 1\r\n"
    b"X-Spam-Flag: YES\r\nPrecedence: bulk\r\n\r\n"
)


def message_of(header: bytes, **change: Any) -> Message:
    values: dict[str, Any] = {
        "source": "support", "folder": "INBOX", "uidvalidity": 17, "uid": 42, "size": 1234, "internaldate": NOON,
    }  # fmt: skip
    return read_mail(header, **values | change)


def test_every_field_of_an_ordinary_mail() -> None:
    """What routes see of an ordinary mail."""
    message = message_of(HEADER)
    assert message.kind is Kind.MAIL
    assert (message.source, message.folder, message.place) == ("support", "INBOX", "INBOX/17/42")
    assert (message.sender, message.sender_name) == ("anna@example.org", "Anna Müller")
    assert (message.recipient, message.recipients) == (
        "support@example.net",
        ("help@example.net", "bernd@example.org"),
    )
    assert message.subject == "Re: Rechnung für November [Ticket#42]"
    assert (message.ticket_number, message.priority, message.auto, message.spam) == (
        "42",
        "high",
        "list",
        True,
    )
    assert (message.message_id, message.references) == (
        "m1@example.org",
        ("r1@example.net", "r2@example.net"),
    )
    assert message.received_at == NOON
    assert message.received_at.tzinfo is UTC
    assert message.sent_at == datetime(2026, 11, 23, 7, 15, tzinfo=UTC)
    assert (message.size, message.text, message.event) == (1234, "", "received")
    assert message.headers["delivered-to"] == "support@example.net"
    assert (message.degraded, message.notes) == (False, ())


def test_a_content_type_that_breaks_parsers() -> None:
    """A parameter without a value, and one with a NUL for its charset, are read like any other."""
    for content_type in (b"text/plain; name*", b"text/plain; n*=\x00''a", b"text/plain; charset=x-unk"):
        message = message_of(b"Content-Type: " + content_type + b"\r\nSubject: M\xfcller\r\nFrom: a@b.c\r\n")
        assert (message.sender, message.subject, message.degraded) == ("a@b.c", "Müller", False)


def test_nothing_can_be_injected() -> None:
    """Line feeds and NULs inside encoded words, names and IDs come out as spaces."""
    message = message_of(
        b"From: =?utf-8?q?a=0D=0Ab?= <a@b.c>\nSubject: a\0b=?utf-8?q?=0AX:_y=00?=\nMessage-ID: <a\0b@c>\n"
    )
    assert message.sender_name == "a b"
    assert message.subject == "a b X: y"
    assert message.message_id == "a b@c"


def test_the_digest_tells_messages_apart() -> None:
    """The same header at the same moment is the same message; another header or moment is another one."""
    digest = message_of(HEADER).digest
    assert digest == message_of(HEADER, uid=43, uidvalidity=18).digest
    assert digest == message_of(HEADER, internaldate=NOON.astimezone(UTC)).digest
    others = [
        message_of(HEADER + b"x").digest,
        message_of(HEADER, internaldate=NOON + timedelta(seconds=1)).digest,
    ]
    assert len({digest, *others}) == 3
    assert digest == message_of(HEADER, size=1).digest, "servers tell other sizes after a move"


def test_the_digest_of_a_mail_without_a_message_id_survives_renumbering() -> None:
    """It does not depend on the place; the intake tells identical reports of a machine apart."""
    header = b"From: machine@example.org\r\nSubject: report\r\n\r\n"
    assert message_of(header).digest == message_of(header, uid=43, uidvalidity=18).digest


def test_a_long_subject_is_cut_and_noted() -> None:
    """The subject is bounded; the note holds none of its text."""
    message = message_of(b"From: a@b.c\nSubject: " + b"secret " * 1000)
    assert len(message.subject) <= MAX_SUBJECT
    assert message.degraded
    assert "secret" not in " ".join(message.notes)


def test_no_header_at_all() -> None:
    """An empty block is a message without a sender."""
    message = message_of(b"")
    assert (message.sender, message.subject, message.sent_at) == ("", "", None)
    assert message.notes == ("no sender could be found",)


def test_a_fault_of_ours_is_still_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should reading fail for a reason that nobody thought of, the mail is handed on, marked as degraded."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(read, "sender_of", fail)
    message = message_of(HEADER)
    assert (message.place, message.degraded, message.size) == ("INBOX/17/42", True, 1234)
    assert message.digest
    assert message.notes == ("the header could not be read (RuntimeError); please report it",)


def test_a_whole_mail() -> None:
    """An .eml file gives the same message, and its text only where it is wanted."""
    raw = HEADER + b"Guten Tag\r\n\r\nAnna\r\n"
    message = read_eml(raw, source="file", received_at=NOON, want_text=True)
    assert (message.text, message.size) == ("Guten Tag\n\nAnna", len(raw))
    assert message.subject == "Re: Rechnung für November [Ticket#42]"
    assert read_eml(raw, source="file", received_at=NOON, want_text=False).text == ""
    assert (
        read_eml(b"Content-Type: image/png\n\nx", source="file", received_at=NOON, want_text=True).text == ""
    )


@pytest.mark.parametrize(
    "piece", [b"\r", b"x:\n", b"\n ", b"=?a?q?", b"=?a?q?=20", b"?=20", b'"', b"<", b"\xff", b"\xc3"]
)
def test_hostile_headers_take_bounded_time(piece: bytes) -> None:
    """Half a megabyte of any one oddity is read within two seconds."""
    for begin in (b"", b"From: ", b"Subject: =?a?q?", b"\xff:\nContent-Type: a"):
        start = time.process_time()
        message_of(begin + piece * (512 * 1024 // len(piece)))
        assert time.process_time() - start < 2
