import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from bridge.acd.answer import Meaning, read_failure
from bridge.acd.network import AnswerTooLarge, hint_of_failure, words_of_failure
from bridge.reason import Reason

KEY: Any = SimpleNamespace(host="acd.example.org", port=8443, ssl=True, is_ssl=True)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def connector(cause: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, cause)


NOT_CONNECTED = [
    (connector(ConnectionRefusedError(111, "Connect call failed")), "Connection refused", "firewall"),
    (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")), "resolved", "DNS"),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version number")), "TLS failed", "scheme"),
    (
        aiohttp.ClientConnectorCertificateError(KEY, untrusted()),
        "not trusted: self-signed",
        "acd.ca_file",
    ),
    (aiohttp.ConnectionTimeoutError("x"), "no connection within", "firewall"),
]


@pytest.mark.parametrize(("error", "words", "hint"), NOT_CONNECTED)
def test_failure_before_sending_is_not_sent(error: Exception, words: str, hint: str) -> None:
    """Refused, DNS, TLS and no time to connect each say what happened and what to do; nothing was sent."""
    answer = read_failure(error, sent=False)
    assert (answer.meaning, answer.reason) == (Meaning.NOT_SENT, Reason.ACD_UNREACHABLE)
    assert words in answer.words
    assert hint in hint_of_failure(error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.TIMED_OUT),
        (aiohttp.SocketTimeoutError(), Reason.TIMED_OUT),
        (aiohttp.ServerDisconnectedError(), Reason.CONNECTION_LOST),
        (aiohttp.ClientOSError(104, "reset"), Reason.CONNECTION_LOST),
        (aiohttp.ClientPayloadError("cut"), Reason.CONNECTION_LOST),
        (ValueError("anything"), Reason.CONNECTION_LOST),
        (AnswerTooLarge(5), Reason.ANSWER_UNREADABLE),
        (aiohttp.ClientResponseError(KEY, (), status=400), Reason.ANSWER_UNREADABLE),
    ],
)
def test_failure_after_sending_is_uncertain(error: Exception, reason: Reason) -> None:
    """Once a byte may have left, the event may exist, whatever the error is."""
    answer = read_failure(error, sent=True)
    assert (answer.meaning, answer.reason) == (Meaning.UNCERTAIN, reason)


def test_words_of_an_error_are_one_bounded_line() -> None:
    """An error's own text cannot break a table or flood it."""
    words = words_of_failure(OSError("a\nb\x00" + "c" * 9999))
    assert words.isprintable()
    assert len(words) <= 500
