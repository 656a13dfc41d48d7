"""The stream of bytes, split into responses."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.imap.grammar import GrammarError, parse_values
from bridge.intake.imap.splitter import SEAM, Parts, ResponseSplitter

TEXT = st.binary(max_size=30).map(
    lambda data: data.replace(b"\r", b"r").replace(b"\n", b"n").replace(b"}", b"b")
)


def split(*chunks: bytes, **bounds: int) -> list[Parts]:
    found: list[Parts] = []
    splitter = ResponseSplitter(found.append, **bounds)
    for chunk in chunks:
        splitter.feed(chunk)
    return found


def joined(parts: Parts) -> bytes:
    return b"".join(part if index % 2 else part + b"\r\n" for index, part in enumerate(parts))


@st.composite
def responses(draw: st.DrawFn) -> list[Parts]:
    """Responses of lines and literals; literals hold any bytes."""
    made: list[Parts] = []
    for _ in range(draw(st.integers(1, 5))):
        parts: Parts = []
        for literal in draw(st.lists(st.binary(max_size=50), max_size=3)):
            parts += [draw(TEXT) + b"{%d}" % len(literal), literal]
        made.append([*parts, draw(TEXT)])
    return made


@given(responses(), st.lists(st.integers(0, 600), max_size=20))
def test_any_cutting_gives_the_same_responses(made: list[Parts], cuts: list[int]) -> None:
    """However the stream is cut into chunks, the responses are those that were sent."""
    data = b"".join(joined(parts) for parts in made)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[begin:end] for begin, end in pairwise(places)]
    assert split(*chunks) == made


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(data: bytes) -> None:
    """Whatever a server sends, splitting raises nothing, one byte at a time or all at once."""
    assert split(data) == split(*(data[at : at + 1] for at in range(len(data))))


def test_long_literal_keeps_the_stream_in_step() -> None:
    """Of a literal beyond the bound the beginning is kept; what follows it is read as it should be."""
    data = b"* 1 FETCH (X {1000}\r\n" + b"a" * 1000 + b")\r\n* OK\r\n"
    first, second = split(data[:500], data[500:], max_literal=100)
    assert first == [b"* 1 FETCH (X {1000}", b"a" * 100, b")"]
    assert second == [b"* OK"]


def test_long_line_is_bounded_and_seen_to_be_broken() -> None:
    """A line beyond the bound loses its middle, keeps its literal marker, and no grammar takes it."""
    line = b"* 1 FETCH (UID 5 " + b"x " * 5000 + b"Y {3}\r\n"
    data = line + b"abc)\r\n* OK\r\n"
    first, second = split(*(data[at : at + 100] for at in range(0, len(data), 100)), max_line=1000)
    assert len(first[0]) <= 1100
    assert first[0].endswith(b"Y {3}")
    assert first[1:] == [b"abc", b")"]
    assert second == [b"* OK"]
    with pytest.raises(GrammarError):
        parse_values(first, 10)


def test_response_of_endless_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small literals in one response do not pile up either; the response is seen to be broken."""
    monkeypatch.setattr("bridge.intake.imap.splitter.MAX_RESPONSE", 10_000)
    first, second = split(b"* 1 FETCH (UID 5 " + b"A {1}\r\nx" * 10_000 + b")\r\n* OK\r\n")
    assert first == [b"* 1 FETCH (UID 5 A {1}" + SEAM]
    assert second == [b"* OK"]


def test_pending_tells_half_a_response() -> None:
    """Half a line, half a literal and the line after a literal are pending; a whole response is not."""
    splitter = ResponseSplitter(lambda _: None)
    for chunk, pending in (
        (b"* O", True),
        (b"K\r\n", False),
        (b"* {2}\r\n", True),
        (b"ab", True),
        (b"\r\n", False),
    ):
        splitter.feed(chunk)
        assert splitter.pending() is pending
