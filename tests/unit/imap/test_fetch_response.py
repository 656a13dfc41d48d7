"""FETCH responses, and the window that they are gathered in."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap import fetch_window
from bridge.intake.imap.fetch_response import (
    Fetched,
    internal_date,
    is_fetch,
    merge,
    parse_fetch,
    uid_of_broken,
)
from bridge.intake.imap.fetch_window import Headers
from bridge.intake.imap.grammar import GrammarError

DATE = b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"'
PARTS = [b"* 12 FETCH (UID 5 RFC822.SIZE 1234 " + DATE + b" BODY[HEADER]<0> {6}", b"A: b\r\n", b")"]


def test_everything_asked_for() -> None:
    """UID, size, date and header are read, whatever their order and case."""
    expected = datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert parse_fetch(PARTS) == Fetched(5, 1234, expected, None, {b"HEADER": b"A: b\r\n"})
    other = [
        b"* 1 fetch (body[header]<0> {6}",
        b"A: b\r\n",
        b" " + DATE.lower() + b" rfc822.size 1234 uid 5 X (y))",
    ]
    assert parse_fetch(other) == parse_fetch(PARTS)


def test_body_that_is_nil() -> None:
    """A section that the server has nothing for is left out."""
    assert parse_fetch([b"* 1 FETCH (UID 5 BODY[HEADER]<0> NIL)"]).sections == {}


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 FETCH",
        b"* 1 FETCH ",
        b"* 1 FETCH ()x",
        b"* 1 FETCH (UID)",
        b"* 1 FETCH (UID x)",
        b"* 1 FETCH ((A) B)",
        b"* 1 EXISTS",
    ],
)
def test_broken_responses(line: bytes) -> None:
    """What is no list of pairs is refused."""
    with pytest.raises(GrammarError):
        parse_fetch([line])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.booleans())
def test_raises_nothing_but_its_own_error(parts: list[bytes], fetch: bool) -> None:  # noqa: FBT001 - it is drawn
    """Any bytes whatsoever are read or refused."""
    parts = [b"* 1 FETCH (" + parts[0], *parts[1:]] if fetch else parts
    with suppress(GrammarError):
        parse_fetch(parts)
    uid_of_broken(parts)
    is_fetch(parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b" 7-Jan-2026 00:00:00 +0000", datetime(2026, 1, 7, tzinfo=UTC)),
        (b"01-Mar-2024 01:30:00 +0530", datetime(2024, 2, 29, 20, tzinfo=UTC)),
        (b"31-Feb-2026 00:00:00 +0000", None),
        (b"01-Foo-2026 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +2359", None),
        (b"", None),
        (None, None),
        ([], None),
    ],
)
def test_internal_date(text: bytes | None, expected: datetime | None) -> None:
    """INTERNALDATE in UTC; what is no date is none."""
    assert internal_date(text) == expected


@given(st.binary(min_size=26, max_size=26))
def test_internal_date_raises_nothing(text: bytes) -> None:
    """Any 26 bytes are a date or none."""
    date = internal_date(text)
    assert date is None or date.tzinfo is UTC


def test_merge_keeps_what_either_told() -> None:
    """A later flag update does not take the header away, and a doubled answer changes nothing."""
    whole = parse_fetch(PARTS)
    assert merge(whole, Fetched(5)) == merge(Fetched(5), whole) == merge(whole, whole) == whole


def test_uid_of_broken_takes_no_uid_from_a_mail() -> None:
    """A header that talks of UIDs does not blame another mail; two UIDs in the lines blame nobody."""
    assert uid_of_broken([b"* 1 FETCH (UID 5 X {9}", b"( UID 7 )", b" \x00"]) == 5
    assert uid_of_broken([b"* 1 FETCH (X {9}", b"( UID 7 )", b" \x00"]) is None
    assert uid_of_broken([b"* 1 FETCH (UID 5 FOO UID 6 \x00"]) is None


def test_window_takes_only_what_was_asked_for() -> None:
    """Other UIDs and answers without one are dropped; broken ones are noted by UID, or counted."""
    headers = Headers(range(4, 7))
    headers.take(PARTS)
    headers.take([b"* 1 FETCH (FLAGS ())"])
    headers.take([b"* 1 FETCH (UID 7 FLAGS ())"])
    headers.take([b"* 1 FETCH (UID 6 \x00)"])
    headers.take([b"* 1 FETCH (UID 9 \x00)"])
    assert list(headers.fetched) == [5]
    assert list(headers.broken) == [6]
    assert headers.lost == 0
    headers.take([b"* 1 FETCH (\x00"])
    assert headers.lost == 1


def test_window_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is left for the next window, from the first UID that was left; the first one always
    fits.
    """
    monkeypatch.setattr(fetch_window, "MAX_HEADERS", 100)
    headers = Headers(range(1, 10))
    for uid, size in ((2, 150), (3, 10), (1, 20)):
        headers.take([b"* 1 FETCH (UID %d BODY[HEADER]<0> {%d}" % (uid, size), b"x" * size, b")"])
    assert headers.left == {1, 3}
    assert headers.read_through(9) == 0
    assert Headers(range(1, 10)).read_through(9) == 9
