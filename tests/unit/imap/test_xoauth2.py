"""Sign-in with an access token, as values."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.failure import MAX_WORDS, Kind, MailServerError
from bridge.intake.imap.xoauth2 import error_told, token_refusal, way_with_token


def test_xoauth2() -> None:
    """The example of Google's documentation; the server's error is answered with an empty line."""
    way = way_with_token(
        {"AUTH=XOAUTH2", "SASL-IR"}, "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
    )
    assert way.command == "AUTHENTICATE"
    assert way.arguments == (
        "XOAUTH2",
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
    )
    assert way.answers == (b"",)


def test_without_initial_response() -> None:
    """A server without SASL-IR asks for the message first."""
    way = way_with_token({"AUTH=XOAUTH2"}, "u", "t")
    assert way.arguments == ("XOAUTH2",)
    assert way.answers == (base64.b64encode(b"user=u\x01auth=Bearer t\x01\x01"), b"")


def test_oauthbearer() -> None:
    """RFC 7628 section 4.1, where XOAUTH2 is not offered; the name's comma and equals sign are escaped."""
    way = way_with_token({"AUTH=OAUTHBEARER", "SASL-IR"}, "a,b=c", "t")
    assert base64.b64decode(way.arguments[1]) == b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"
    assert way.answers == (b"AQ==",)


@pytest.mark.parametrize(("capabilities", "user"), [({"AUTH=PLAIN"}, "u"), ({"AUTH=XOAUTH2"}, "u\x01auth=x")])
def test_no_way(capabilities: set[str], user: str) -> None:
    """Where there is no way, it is said before a token leaves."""
    with pytest.raises(MailServerError) as caught:
        way_with_token(capabilities, user, "t")
    assert caught.value.kind is Kind.SIGN_IN_REFUSED
    assert caught.value.hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==",
         "status 400, scope https://mail.google.com/"),
        (b"+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", "status invalid_token"),
        (b"+ ", ""), (b"+ ok", ""), (b"+ W10=", ""), (b"+ eyJzdGF0dXMiOjV9", ""), (b"", ""),
    ],
)  # fmt: skip
def test_errors_in_continuations(line: bytes, expected: str) -> None:
    """The server's base64 JSON is told in words; whatever else it sends is left out."""
    assert error_told(line) == expected


@given(st.binary(max_size=400))
def test_any_continuation(line: bytes) -> None:
    """Nothing is raised, and the words are short and printable."""
    words = error_told(b"+ " + base64.b64encode(line)) + error_told(line)
    assert words.isprintable()
    assert len(words) <= 2 * MAX_WORDS


def test_refusals() -> None:
    """A refused token, a busy server and a mailbox that is not opened are three things; no token is shown."""
    refused = token_refusal("AUTHENTICATE failed. the-token", "status 401", "anna", "the-token")
    assert refused.kind is Kind.SIGN_IN_REFUSED
    assert "status 401" in refused.message
    assert "the-token" not in str(refused)
    assert "Add-MailboxPermission" in refused.hint
    assert token_refusal("[UNAVAILABLE] x", "", "u", "t").kind is Kind.BUSY
    assert token_refusal("User is authenticated but not connected.", "", "u", "t").kind is Kind.NOT_CONNECTED
