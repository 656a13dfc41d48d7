"""Text, addresses, times, links and JSON as strangers write them."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.intake.webhook.address import MAX_ADDRESS, split_address
from bridge.intake.webhook.fields import MAX_URL, link_of, moment_of, text_of
from bridge.intake.webhook.jsonbody import MAX_DEPTH, MAX_VALUES, NotJsonError, read_json
from bridge.intake.webhook.text import json_text, one_line


@settings(deadline=None)
@given(text=st.text(alphabet=st.characters()), limit=st.integers(0, 50))
def test_a_line_is_always_one_clean_line(text: str, limit: int) -> None:
    """Whatever comes in: no control, no line end, no lone surrogate, and never longer than the limit."""
    line = one_line(text, limit)
    assert len(line) <= limit
    line.encode()
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 or sign in "\u2028\u2029" for sign in line)


def test_line_ends_become_spaces() -> None:
    """Words on two lines do not run together, and letters of any script stay."""
    assert one_line("Drucker\r\n\tstreikt\x00", 100) == "Drucker streikt"
    assert one_line("  Büro 東京 🖨 ", 100) == "Büro 東京 🖨"
    assert one_line("a\ud800b", 100) == "a\ufffdb"


def test_texts_of_the_body_keep_their_lines() -> None:
    """A text inside the body keeps line feeds and tabs, and loses every other control."""
    assert json_text("a\r\nb\rc\td\x00\x1be\x7f\udc00") == "a\nb\nc\td e \ufffd"


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("erika@example.org", "", "erika@example.org"),
        ("Erika Muster <erika@example.org>", "Erika Muster", "erika@example.org"),
        ('"Muster, Erika" <erika@example.org>', "Muster, Erika", "erika@example.org"),
        ("<erika@example.org>", "", "erika@example.org"),
        ("mailto:erika@example.org", "", "erika@example.org"),
        ("a@example.org, b@example.org", "", "a@example.org"),
        ("Erika <a@example.org>, Otto <b@example.org>", "Erika", "a@example.org"),
        ("a@b@example.org", "", ""),
        ("Erika Muster", "", ""),
        ("@example.org", "", ""),
        ("erika@", "", ""),
        ("Erika <nobody>", "", ""),
        ("x" * MAX_ADDRESS + "@example.org", "", ""),
        ("", "", ""),
        ("<<<>>>", "", ""),
    ],
)
def test_senders_are_reduced_to_name_and_address(text: str, name: str, address: str) -> None:
    """What is not plainly an address gives none, instead of a wrong one."""
    assert split_address(text) == (name, address)


@settings(deadline=None)
@given(text=st.text())
def test_any_sender_is_read(text: str) -> None:
    """Reading a sender never raises, and an address has exactly one @ and no space."""
    _, address = split_address(text)
    assert not address or (address.count("@") == 1 and " " not in address)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (3.5, "3.5"),
        ([], None),
        ({}, None),
    ],
)
def test_single_values_become_text(value: Any, text: str | None) -> None:
    """A number or a truth value has a text; a list or an object has none."""
    assert text_of(value) == text


MOMENT = datetime(2026, 11, 23, 4, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T04:02:06Z",
        "2026-11-23T05:02:06+01:00",
        "2026-11-23 04:02:06",
        "1795406526",
        "1795406526000",
    ],
)
def test_times_are_read_in_every_usual_form(text: str) -> None:
    """ISO 8601 with and without zone, seconds and milliseconds mean the same moment, in UTC."""
    assert moment_of(text) == MOMENT
    assert moment_of(text.replace("1795406526000", "1795406526.0")) == MOMENT


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1" * 400, "9e99", "2026-13-01", "0001-01-01T00:00:00+14:00", "²", "."]
)
def test_other_texts_are_no_time(text: str) -> None:
    """What is no time gives None, however large or strange it is."""
    assert moment_of(text) is None


@settings(deadline=None)
@given(text=st.text())
def test_any_text_may_be_asked_for_its_time(text: str) -> None:
    """Reading a time never raises, and what it gives has a zone."""
    moment = moment_of(text)
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://helpdesk.example.org/#ticket/zoom/81", True),
        ("HTTP://helpdesk.example.org/", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:https://", False),
        ("file:///etc/passwd", False),
        ("//example.org/", False),
        ("https://example.org/a b", False),
        ('https://example.org/"><script>', False),
        ("https://example.org/" + "x" * MAX_URL, False),
        (" https://example.org/\n", True),
        ("", False),
    ],
)
def test_only_web_addresses_are_links(text: str, *, good: bool) -> None:
    """The agent's browser opens the link by itself, so nothing but http and https passes."""
    assert bool(link_of(text)) is good


@pytest.mark.parametrize(
    ("raw", "data", "lenient"),
    [
        (b'{"a":1}', {"a": 1}, False),
        (b'{"a":1,"a":2}', {"a": 2}, False),
        (b'{"n":123456789012345678901234}', {"n": "123456789012345678901234"}, False),
        (b'{"n":18446744073709551615}', {"n": 18446744073709551615}, False),
        (b'{"n":' + b"9" * 5000 + b"}", {"n": "9" * 5000}, True),
        (b'{"a":"Zeile 1\nZeile 2"}', {"a": "Zeile 1\nZeile 2"}, True),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}, True),
        (b'{"\\ud800":1}', {"\ufffd": 1}, True),
        (b'{"a":"\\u0000"}', {"a": " "}, False),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}, True),
        (b'{"a":NaN,"b":-Infinity}', {"a": None, "b": None}, True),
        (b'{"a":1e999}', {"a": None}, True),
        (b'{"a":"B\xfcro"}', {"a": "B\ufffdro"}, True),
        (b'{"a":1,"a":"\n2"}', {"a": "\n2"}, True),
        (b'"\\ud83d\\ude00"', "\U0001f600", False),
    ],
)
def test_bodies_are_read_as_far_as_they_can_be(raw: bytes, data: Any, *, lenient: bool) -> None:
    """Strict JSON is read strictly; what templates get wrong is read too, and marked."""
    read = read_json(raw)
    assert (read.data, read.lenient) == (data, lenient)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"ticket=1&name=x",
        b'{"title":"a "quoted" word"}',
        b'{"a":1}}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" + b"0," * MAX_VALUES + b"0]",
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_no_json_or_beyond_the_bounds_is_refused(raw: bytes) -> None:
    """Broken, too deep and too long bodies are one kind of error, whose words quote nothing of the body."""
    with pytest.raises(NotJsonError) as caught:
        read_json(raw)
    assert "quoted" not in str(caught.value)


def test_the_bounds_themselves_are_allowed() -> None:
    """Exactly as deep and as long as allowed is still read."""
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).data is not None
    assert len(read_json(b"[" + b"0," * (MAX_VALUES - 2) + b"0]").data) == MAX_VALUES - 1


@settings(deadline=None)
@given(
    raw=st.one_of(st.binary(), st.text(alphabet='{}[]",:0123456789eE+-nulltrufas\\ud8\n ').map(str.encode))
)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever the bytes are: either data that can be stored as JSON again, or NotJsonError."""
    try:
        read = read_json(raw)
    except NotJsonError:
        return
    assert orjson.loads(orjson.dumps(read.data)) == read.data


@settings(deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_valid_json_is_read_the_same_strictly_and_leniently(value: Any) -> None:
    """A body with a byte order mark, which is read leniently, gives the same data as without it."""
    raw = json.dumps(value).encode()
    plain = _numbers_as_text(read_json(raw).data)
    assert _numbers_as_text(read_json(b"\xef\xbb\xbf" + raw).data) == plain


def _numbers_as_text(value: Any) -> Any:
    """Of 20 digits and more a number may be read as a text of its digits."""
    if isinstance(value, dict):
        return {name: _numbers_as_text(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_numbers_as_text(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
