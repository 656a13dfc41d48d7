import pytest

from bridge.acd.retry_after import LONGEST, retry_after
from bridge.acd.words import cleaned, is_html, words_of

NOW = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("99999999", LONGEST),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    """Seconds or a date, bounded to a day; what cannot be read is ignored."""
    assert retry_after({"Retry-After": value}, now=NOW) == seconds


def test_retry_after_date_is_compared_with_the_answers_own_date() -> None:
    """A server whose clock is an hour off still asks for the minute that it means."""
    headers = {"Retry-After": "Tue, 14 Nov 2023 23:14:20 GMT", "Date": "Tue, 14 Nov 2023 23:13:20 GMT"}
    assert retry_after(headers, now=NOW) == 60
    assert retry_after(headers | {"Date": "nonsense"}) is None


def test_retry_after_may_be_missing() -> None:
    """Without the header there is no wish."""
    assert retry_after({}) is None


def test_words_are_one_bounded_line() -> None:
    """Control characters and line ends of a server cannot steer a terminal or break a table."""
    assert cleaned("a\r\nb\x1b[2J\u202ec\t d") == "a b [2J c d"
    assert len(cleaned("x" * 100_000)) == 500


@pytest.mark.parametrize(
    ("document", "body", "words"),
    [
        ({"error": "Dialler campaign not found"}, b"{}", "Dialler campaign not found"),
        ({"error": 5}, b'{"error": 5}', '{"error": 5}'),
        (None, b"Bad Gateway", "Bad Gateway"),
        (None, b"", ""),
        (None, b"\xff\xfe", "\ufffd\ufffd"),
        (
            None,
            b"<html><TITLE>502\nBad</title>",
            "an HTML page titled '502 Bad', probably of a proxy and not of the ACD",
        ),
        (None, b" <!doctype html>", "an HTML page, probably of a proxy and not of the ACD"),
    ],
)
def test_words_come_from_where_they_are(document: object, body: bytes, words: str) -> None:
    """The JSON's `error`, else a page's title, else the text itself."""
    assert words_of(document, body) == words


def test_a_page_is_known_by_its_start() -> None:
    """What begins with `<` is a page for people."""
    assert is_html(b"\n\t <html>")
    assert not is_html(b'{"a": "<"}')
