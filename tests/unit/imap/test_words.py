"""Small decisions: names, words of servers, waits, ways to sign in, text parts, sharing of connections."""

import logging
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.mailbox import Mailbox
from bridge.config.secret import Secret
from bridge.intake.handover import Unreadable
from bridge.intake.imap import folder_name
from bridge.intake.imap.body_structure import TextPart, first_text
from bridge.intake.imap.failure import (
    MAX_ASKED_WAIT,
    MAX_WORDS,
    Kind,
    MailServerError,
    asked_wait,
    is_transient,
    response_code,
    shown,
)
from bridge.intake.imap.fetch_response import Fetched
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.grammar import GrammarError, parse_values
from bridge.intake.imap.mailbox import MAX_CONNECTIONS, shared_out
from bridge.intake.imap.probe import near
from bridge.intake.imap.protocol import keep_library_silent
from bridge.intake.imap.retry import SOMEBODY_MUST_ACT, RetryTimes, failures_after, wait_before
from bridge.intake.imap.sign_in import refusal, way_to_sign_in
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.intake.imap.take_in import NO_DATE, message_of
from bridge.message import Message
from bridge.testing.handover import FakeHandover


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", "INBOX"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("a&b", "a&-b"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("😀", "&2D3eAA-"),
    ],
)
def test_folder_names(name: str, wire: str) -> None:
    """Modified UTF-7 as in the examples of RFC 3501 section 5.1.3, and beyond the first plane."""
    assert folder_name.encode(name) == wire
    assert folder_name.decode(wire.encode()) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_folder_names_round_trip(name: str) -> None:
    """Every name is read back as it was, and is plain ASCII on the wire."""
    wire = folder_name.encode(name)
    assert wire.isascii()
    assert folder_name.decode(wire.encode()) == name


@given(st.binary(max_size=40))
def test_folder_names_raise_nothing_else(wire: bytes) -> None:
    """Any bytes are a name or refused."""
    with suppress(GrammarError):
        assert isinstance(folder_name.decode(wire), str)


def test_codes_and_waits() -> None:
    """Response codes and pauses are read from a server's words; absurd pauses are bounded."""
    assert response_code("[authenticationfailed] no") == "AUTHENTICATIONFAILED"
    assert response_code("no code [HERE]") == ""
    assert asked_wait("Throttled. Suggested Backoff Time: 299910 milliseconds") == pytest.approx(299.91)
    assert asked_wait("backoff time 20 seconds") == 20
    assert asked_wait("Suggested Backoff Time: 999999999999 seconds") == MAX_ASKED_WAIT
    assert asked_wait("no") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("[UNAVAILABLE] x", True),
        ("[LIMIT] x", True),
        ("User is authenticated but not connected.", True),
        ("Too many simultaneous connections", True),
        ("[AUTHENTICATIONFAILED] Invalid credentials", False),
        ("[AUTHENTICATIONFAILED] Temporarily wrong?", False),
        ("LOGIN failed, please try again.", False),
    ],
)
def test_transient_words(words: str, expected: bool) -> None:  # noqa: FBT001 - it is a column of the table
    """A server that is busy is told from one that refuses."""
    assert is_transient(words) is expected


def test_shown_words() -> None:
    """What is shown is printable, short and without what must be hidden."""
    assert shown(b"bad\x1b[31m \xff anna's secret", "secret", "anna") == "bad[31m \ufffd ...'s ..."
    assert len(shown("x" * 1000)) == MAX_WORDS
    assert shown("plain", "") == "plain"


@given(st.sampled_from(Kind), st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 3600))
def test_waits_are_bounded(kind: Kind, failures: int, fraction: float, asked: float) -> None:
    """Every wait lies within its bounds, however often it failed; a pause that was asked for is kept."""
    times = RetryTimes()
    wait = wait_before(kind, failures, fraction, times, asked)
    assert wait >= max(asked, times.outage.first / 2)
    assert wait <= max(asked, times.configuration.cap)


def test_waits_double_up_to_their_cap() -> None:
    """1, 2, 4 ... 300 seconds for an outage; minutes from the start where somebody must act."""
    times = RetryTimes()
    longest = [wait_before(Kind.LOST, failures, 0.999999, times) for failures in (1, 2, 3, 9, 10, 99)]
    assert longest == pytest.approx([1, 2, 4, 256, 300, 300], rel=0.001)
    assert wait_before(Kind.LOST, 1, 0.0, times) == 0.5
    assert all(wait_before(kind, 1, 0.0, times) >= 60 for kind in SOMEBODY_MUST_ACT)


def test_failures_are_counted_anew() -> None:
    """A connection that lived long or took mail in makes the next failure a first one; others add up."""
    times = RetryTimes()
    assert failures_after(7, 59.9, progress=False, times=times) == 8
    assert failures_after(7, 60.0, progress=False, times=times) == 1
    assert failures_after(7, 0.1, progress=True, times=times) == 1


@pytest.mark.parametrize(
    ("capabilities", "user", "command", "arguments", "answers"),
    [
        (set(), "anna", "LOGIN", ('"anna"', '"p"'), ()),
        ({"AUTH=PLAIN"}, "anna", "LOGIN", ('"anna"', '"p"'), ()),
        ({"AUTH=PLAIN", "LOGINDISABLED"}, "anna", "AUTHENTICATE", ("PLAIN",), (b"AGFubmEAcA==",)),
        ({"AUTH=PLAIN", "SASL-IR"}, "ü", "AUTHENTICATE", ("PLAIN", "AMO8AHA="), ()),
        (set(), "ü", "LOGIN", ("{2}",), ("ü".encode() + b" {1}", b"p")),
        (set(), "a\tb", "LOGIN", ("{3}",), (b"a\tb {1}", b"p")),
    ],
)
def test_ways_to_sign_in(
    capabilities: set[str], user: str, command: str, arguments: tuple[str, ...], answers: tuple[bytes, ...]
) -> None:
    """LOGIN where it can say it, AUTHENTICATE PLAIN or literals where it cannot."""
    way = way_to_sign_in(capabilities, user, "p")
    assert (way.command, way.arguments, way.answers) == (command, arguments, answers)


@pytest.mark.parametrize(("capabilities", "user"), [({"LOGINDISABLED"}, "anna"), (set(), "a\0b")])
def test_no_way_to_sign_in(capabilities: set[str], user: str) -> None:
    """Where there is no way, it is said before anything is sent."""
    with pytest.raises(MailServerError) as caught:
        way_to_sign_in(capabilities, user, "p")
    assert caught.value.kind is Kind.SIGN_IN_REFUSED
    assert caught.value.hint


def test_refusals() -> None:
    """A busy server and a wrong password are told apart."""
    assert refusal("[UNAVAILABLE] later", "u", "p").kind is Kind.BUSY
    assert refusal("[AUTHENTICATIONFAILED] no", "u", "p").kind is Kind.SIGN_IN_REFUSED


async def test_gate_closes_after_a_refusal() -> None:
    """After a refused sign-in the next one is refused without trying, and other failures close nothing."""
    gate = SignInGate()
    gate.close_for(MailServerError(Kind.LOST, "x"), 100)
    async with gate.passing():
        pass
    gate.close_for(MailServerError(Kind.SIGN_IN_REFUSED, "no"), 100)
    with pytest.raises(MailServerError, match="no"):
        async with gate.passing():
            pytest.fail("the gate was open")


PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "QUOTED-PRINTABLE" 100 5 NIL %s NIL NIL)'
HTML = b'("text" "html" ("charset" "iso-8859-1") NIL NIL "BASE64" 100 5)'
IMAGE = b'("IMAGE" "PNG" NIL NIL NIL "BASE64" 100)'
ATTACHED = PLAIN % b'("ATTACHMENT" ("FILENAME" "a(.txt"))'
MAIL = b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 (NIL) ' + PLAIN % b"NIL" + b" 5)"


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (PLAIN % b"NIL", TextPart("1", "text/plain", "utf-8", "quoted-printable")),
        (
            b"(" + HTML + PLAIN % b"NIL" + b' "ALTERNATIVE")',
            TextPart("2", "text/plain", "utf-8", "quoted-printable"),
        ),
        (
            b"(" + IMAGE + b"(" + HTML + IMAGE + b' "RELATED") "MIXED")',
            TextPart("2.1", "text/html", "iso-8859-1", "base64"),
        ),
        (b"(" + ATTACHED + HTML + b' "MIXED")', TextPart("2", "text/html", "iso-8859-1", "base64")),
        (b"(" + MAIL + IMAGE + b' "MIXED")', None),
        (IMAGE, None),
        (b"NIL", None),
        (b"()", None),
    ],
)
def test_first_text(structure: bytes, expected: TextPart | None) -> None:
    """The first text/plain that is no attachment, else the first text/html; not the text of a mail within the
    mail.
    """
    assert first_text(parse_values([structure])[0]) == expected


VALUES = st.recursive(
    st.none() | st.sampled_from([b"TEXT", b"plain", b"attachment", b"1"]),
    lambda inner: st.lists(inner, max_size=9),
)


@given(VALUES)
def test_first_text_raises_nothing(structure: object) -> None:
    """Any structure has a text part or none."""
    assert first_text(structure) is None or isinstance(first_text(structure), TextPart)  # type: ignore[arg-type]  # a recursive type


def test_message_of() -> None:
    """A mail becomes a message with its place; what the server did not tell is noted on it."""
    whole = Fetched(5, 100, datetime(2026, 1, 1, tzinfo=UTC), None, {b"HEADER": b"Subject: x\r\n\r\n"})
    message = message_of(whole, source="m", folder="INBOX", uidvalidity=7)
    assert isinstance(message, Message)
    assert (message.subject, message.place, message.size, message.degraded) == ("x", "INBOX/7/5", 100, False)
    bare = message_of(
        Fetched(5, sections={b"HEADER": b"A: b\r\n\r\n"}), source="m", folder="INBOX", uidvalidity=7
    )
    assert isinstance(bare, Message)
    assert bare.degraded
    assert bare.received_at == NO_DATE
    assert {"the server told no INTERNALDATE", "the server told no RFC822.SIZE"} <= set(bare.notes)


def test_message_without_a_header_is_unreadable() -> None:
    """It is named by its place, the same each time."""
    first = message_of(Fetched(5), source="m", folder="INBOX", uidvalidity=7)
    assert isinstance(first, Unreadable)
    assert first == message_of(Fetched(5), source="m", folder="INBOX", uidvalidity=7)
    assert first.place == "INBOX/7/5"


def test_exception_in_reading_stays_with_its_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in reading makes that one mail unreadable, without its text in the detail."""

    def fail(*_: object, **__: object) -> Message:
        raise ValueError("private words")

    monkeypatch.setattr("bridge.intake.imap.take_in.read_mail", fail)
    result = message_of(Fetched(5, sections={b"HEADER": b"x"}), source="m", folder="INBOX", uidvalidity=7)
    assert isinstance(result, Unreadable)
    assert "ValueError" in result.detail
    assert "private" not in result.detail


@pytest.mark.parametrize("count", [1, MAX_CONNECTIONS - 1, MAX_CONNECTIONS, 50])
def test_connections_are_bounded(count: int) -> None:
    """Every folder is on exactly one connection, and there are never more than the bound."""
    mailbox = Mailbox(name="m", host="h", username="u", password=Secret.model_validate("p"))
    watches = [FolderWatch(mailbox, str(number), FakeHandover()) for number in range(count)]
    groups = shared_out(watches)
    assert [watch for group in groups for watch in group] == watches
    assert len(groups) == min(count, MAX_CONNECTIONS)


@pytest.mark.parametrize(
    ("folder", "names", "expected"),
    [
        ("inbox/Anfrage", ["INBOX", "INBOX/Anfragen"], "'INBOX/Anfragen'"),
        ("Support", ["INBOX", "INBOX.Support"], "'INBOX.Support'"),
        ("xyz", ["INBOX", "Sent"], "sees 'INBOX', 'Sent'"),
        ("xyz", [], "no folder"),
    ],
)
def test_near_folders(folder: str, names: list[str], expected: str) -> None:
    """The folder that was probably meant is named, or what there is."""
    assert expected in near(folder, names)


def test_library_stays_silent() -> None:
    """Whatever the logging configuration says, the library does not write mail into the log."""
    logger = logging.getLogger("aioimaplib.aioimaplib")
    logger.setLevel(logging.DEBUG)
    keep_library_silent()
    assert not logger.isEnabledFor(logging.INFO)
