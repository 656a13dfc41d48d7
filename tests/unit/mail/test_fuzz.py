"""Any bytes whatsoever become a Message."""

import re
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.intake.mail.read import _read, read_eml
from bridge.intake.mail.text import extract_text
from bridge.message import Message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NAMES = [
    b"From", b"Subject", b"To", b"Cc", b"Date", b"Message-ID", b"References", b"Content-Type", b"Return-Path",
         b"Auto-Submitted", b"X-Priority", b"RT-Ticket", b"Delivered-To", b"X-MS-Exchange-Organization-SCL",
]  # fmt: skip
PIECES = [
    b"=?utf-8?q?", b"=?utf-7?q?+2AA-?=", b"=?gb2312?b?", b"=?iso-2022-jp?b?GyRC?=",
    b"?=", b"=C3", b"\xc3", b"\xbc",
          b"<", b">", b"(", b")", b'"', b"\\", b"@", b".", b",", b";", b":", b" ", b"\t", b"\r", b"\n",
    b"\r\n ", b"\r\n\r\n",
          b"\0", b"\x1b$B", b"a@b.c", b"mailto:", b"[#", b"12]", b"Mon, 23 Nov 2026 08:15:00 +0100", b"99999", b"+9999",
          b"multipart/mixed; boundary=x", b"charset=", b"*0*=", b"%C3", b"--x\r\n", b"<p>", b"&#", b"<!--",
]  # fmt: skip

pieces = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=20).map(b"".join)
fields = st.tuples(st.sampled_from(NAMES), pieces).map(lambda field: field[0] + b": " + field[1] + b"\r\n")
mails = st.one_of(st.binary(max_size=300), pieces, st.lists(fields, max_size=8).map(b"".join))
fuzzed = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_clean(message: Message) -> None:
    """Every text of the message is on one line, has no control characters and can be written as UTF-8."""
    values = [
        message.sender, message.sender_name, message.recipient, *message.recipients, message.subject,
        message.ticket_number,
        message.priority, message.auto, message.message_id, *message.references, *message.headers, *message.notes,
        *message.headers.values(),
    ]  # fmt: skip
    for value in values:
        assert not CONTROL.search(value)
    assert message.sent_at is None or message.sent_at.tzinfo is UTC
    message.text.encode()


@given(mails)
@fuzzed
def test_any_header_becomes_a_message(header: bytes) -> None:
    """No bytes make the reader raise, below its last net, and nothing unclean comes through."""
    assert_clean(_read(header, "source", "INBOX", "INBOX/1/2", len(header), NOON))


@given(st.tuples(mails, mails).map(b"\r\n".join))
@fuzzed
def test_any_file_becomes_a_message(raw: bytes) -> None:
    """The same for a whole mail with its text."""
    message = read_eml(raw, source="source", received_at=NOON, want_text=True)
    assert_clean(message)
    assert not any("could not be read" in note for note in message.notes)


@given(
    pieces,
    st.sampled_from(["text/plain", "text/html", ""]),
    st.sampled_from(["", "utf-8", "utf-7", "utf-16", "gb2312", "iso-2022-jp", "hz", "x-unknown"]),
    st.sampled_from(["", "base64", "quoted-printable", "8bit"]),
)
@fuzzed
def test_any_part_becomes_text(part: bytes, content_type: str, charset: str, encoding: str) -> None:
    """Text has no control characters but line feeds and tabs, whatever the part is."""
    text = extract_text(part, content_type=content_type, charset=charset, encoding=encoding)
    assert not CONTROL.search(text.replace("\n", "").replace("\t", ""))
