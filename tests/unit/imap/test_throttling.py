"""Servers that put the bridge off, in their own words: never a wrong password, never given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.connection import Answer, _folder_refused, refused
from bridge.intake.imap.failure import MAX_ASKED_WAIT, QUOTA_WAIT, Kind, MailServerError, asked_wait
from bridge.intake.imap.protocol import farewell
from bridge.intake.imap.retry import NOT_CONNECTED_TRIES, SOMEBODY_MUST_ACT, judged, refused_in_a_row
from bridge.intake.imap.sign_in import refusal

PUT_OFF = [
    # Microsoft 365 and Exchange
    ("Server Unavailable. 15", 0.0),
    ("Request is throttled. Suggested Backoff Time: 299910 milliseconds", 299.91),
    ("AUTHENTICATE failed. Suggested Backoff Time: 1500 milliseconds", 1.5),
    ("Session is closed: Suggested Backoff Time: 90000000 milliseconds", MAX_ASKED_WAIT),
    # Gmail
    ("[THROTTLED] Account exceeded command or bandwidth limits. (Failure)", QUOTA_WAIT),
    ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", QUOTA_WAIT),
    ("[ALERT] Account exceeded command or bandwidth limits. (Failure)", QUOTA_WAIT),
    ("[ALERT] Too many simultaneous connections. (Failure)", 0.0),
    ("[UNAVAILABLE] Temporary System Error", 0.0),
    ("Temporary System Error", 0.0),
    # Yahoo
    ("[LIMIT] LOGIN Rate limit hit", 0.0),
    ("[UNAVAILABLE] LOGIN Server error - Please try again later", 0.0),
    ("[INUSE] LOGIN", 0.0),
    # Dovecot, Cyrus, Courier
    ("[UNAVAILABLE] Temporary authentication failure. [mail:2026-01-01 00:00:00]", 0.0),
    (
        "[UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
        0.0,
    ),
    ("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", 0.0),
    ("Too many open connections for this account", 0.0),
    ("Maximum connection limit reached for 192.0.2.1", 0.0),
]
REFUSED = [
    "LOGIN failed.",
    "AUTHENTICATE failed.",
    "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    "[AUTHENTICATIONFAILED] Authentication failed.",
    "[AUTHENTICATIONFAILED] (#AUTH005) Too many bad auth attempts.",
    "[AUTHENTICATIONFAILED] Temporarily wrong?",
    "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
    "[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
    "[WEBALERT https://accounts.google.com] Web login required.",
    "[EXPIRED] password expired",
]


@pytest.mark.parametrize(("words", "wait"), PUT_OFF)
@pytest.mark.parametrize("result", ["NO", "BAD"])
def test_put_off(words: str, wait: float, result: str) -> None:
    """Under NO and BAD, to every command, and as BYE: the server is busy, and its pause is kept."""
    answer = Answer(result, words)
    found = [
        refused("FETCH", answer),
        _folder_refused("EXAMINE", "INBOX", answer),
        refusal(words, "u", "p"),
        farewell(words.encode()),
    ]
    assert {failure.kind for failure in found} == {Kind.BUSY}
    assert {failure.wait for failure in found} == {wait}


@pytest.mark.parametrize("command", ["EXAMINE", "SELECT"])
def test_the_command_that_is_put_off_is_named(command: str) -> None:
    """A folder is opened by two commands, and the error says by which."""
    failure = _folder_refused(command, "INBOX", Answer("NO", "[UNAVAILABLE] later"))
    assert failure.message == f"the server refuses {command}: NO [UNAVAILABLE] later"


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words: str) -> None:
    """What a person must correct is not waited out."""
    assert refusal(words, "u", "p").kind is Kind.SIGN_IN_REFUSED


@pytest.mark.parametrize(
    "words", ["Autologout; idle for too long", "Connection is closed. 13", "Session invalidated", ""]
)
def test_plain_goodbyes(words: str) -> None:
    """A goodbye without such words is a lost connection."""
    assert farewell(words.encode()).kind is Kind.LOST


@given(st.text(max_size=200))
def test_waits_are_bounded(words: str) -> None:
    """Whatever a server says, its pause is neither negative nor endless."""
    assert 0 <= asked_wait(f"Suggested Backoff Time: {words}") <= MAX_ASKED_WAIT


def test_not_connected() -> None:
    """Microsoft's words are one diagnosis with its causes, whichever command they answer."""
    words = "User is authenticated but not connected."
    answer = Answer("BAD", words)
    for failure in (
        refused("LIST", answer),
        _folder_refused("EXAMINE", "INBOX", answer),
        refusal(words, "u", "p"),
    ):
        assert failure.kind is Kind.NOT_CONNECTED
        for cause in ("Add-MailboxPermission", "username", "too many sessions"):
            assert cause in failure.hint


def test_not_connected_three_times() -> None:
    """Three times it is waited out; the fourth time somebody must act, with the same hint."""
    failure = MailServerError(Kind.NOT_CONNECTED, "x", hint="do this")
    count, kinds = 0, []
    for number in range(NOT_CONNECTED_TRIES + 1):
        count = refused_in_a_row(count, failure, first=number == 0)
        kinds.append(judged(failure, count).kind)
    assert kinds == [*[Kind.NOT_CONNECTED] * NOT_CONNECTED_TRIES, Kind.NO_ACCESS]
    assert judged(failure, count).hint == "do this"
    assert Kind.NO_ACCESS in SOMEBODY_MUST_ACT
    assert Kind.NOT_CONNECTED not in SOMEBODY_MUST_ACT


def test_an_outage_in_between_proves_nothing() -> None:
    """The row goes on over a lost connection, and begins anew after a good while."""
    failure, lost = MailServerError(Kind.NOT_CONNECTED, "x"), MailServerError(Kind.LOST, "x")
    assert refused_in_a_row(refused_in_a_row(2, lost, first=False), failure, first=False) == 3
    assert refused_in_a_row(9, failure, first=True) == 1
    assert refused_in_a_row(9, lost, first=True) == 0
    assert judged(lost, 99) is lost
