"""JSON with halves of surrogate pairs."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.answer import Meaning, read_answer
from bridge.acd.escapes import Mending, mended
from bridge.acd.listing import WHOLE, Listing
from bridge.acd.record import AcdEvent

PIECES = [r"\ud83d", r"\uDE00", r"\\", r"\"", r"\n", r"\u00e4", "x", "ud83d", "é"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def without_halves(text: str) -> str:
    """What Python's own parser reads, with halves that stand alone replaced."""
    read: str = json.loads(f'"{text}"')
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(TEXTS)
def test_halves_are_replaced_and_all_else_is_read_as_it_is(text: str) -> None:
    """Whole pairs, other escapes, and backslashes that only look like one stay."""
    assert orjson.loads(mended(f'"{text}"'.encode())) == without_halves(text)


@given(TEXTS, st.integers(1, 20))
def test_where_parts_are_cut_makes_no_difference(text: str, size: int) -> None:
    """Also within an escape and within a pair."""
    document, mending = f'"{text}"'.encode(), Mending()
    parts = [mending.feed(document[at : at + size]) for at in range(0, len(document), size)]
    assert b"".join([*parts, mending.end()]) == mended(document)


def test_no_row_of_backslashes_is_kept_back() -> None:
    """An endless text of them takes no memory."""
    mending = Mending()
    for _ in range(100):
        assert len(mending.feed(b"\\" * 1001)) > 980


@pytest.mark.parametrize("pad", [0, WHOLE], ids=["short", "long"])
@pytest.mark.parametrize("subject", [rb"\ud83d", rb"x\ude00y", rb"\n"])
def test_one_event_with_a_cut_text_does_not_hide_the_others(subject: bytes, pad: int) -> None:
    """The list is read whole, also where that text is the last of it."""
    around = b'{"pad":"' + b"x" * pad + b'","status":200,"count":2,'
    body = around + b'"records":[{"ID":1,"Subject":"a"},{"ID":2,"Subject":"' + subject + b'"}]}'
    listing = Listing(AcdEvent, attested_only=True)
    for at in range(0, len(body), 65_536):
        listing.take(body[at : at + 65_536])
    first, second = listing.records(200)
    assert (first.subject, second.subject) == ("a", without_halves(subject.decode()))


def test_a_created_event_with_a_cut_text_is_created() -> None:
    """Its ID is what counts."""
    body = rb'{"records":[{"ID":7,"Subject":"\ud83d"}],"count":1,"status":200}'
    assert read_answer(200, {}, body).meaning is Meaning.CREATED
