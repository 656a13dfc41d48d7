"""A list as it comes, whole or in parts."""

import tracemalloc
from collections.abc import Callable, Iterator

import orjson
import pytest

from bridge.acd.listing import WHOLE, Listing
from bridge.acd.record import AcdEvent

LONG = 4000
"""Records of an answer that is longer than what is read whole."""


def record(number: int) -> dict[str, object]:
    more = {f"SkillsValue{index}": None for index in range(30)}
    return {"ID": number, "Subject": f'Ü "{number}" }}', "dtCreated": "2026-11-23T08:00:00.000"} | more


def answer(records: object, **around: object) -> bytes:
    return orjson.dumps({"filter": "", "records": records, "status": 200} | around)


def parts_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def read(body: bytes, size: int = 65_536, *, attested_only: bool = False) -> list[AcdEvent]:
    listing = Listing(AcdEvent, attested_only=attested_only)
    for part in parts_of(body, size):
        listing.take(part)
    return listing.records(200)


@pytest.mark.parametrize("number", [0, 1, 30, LONG])
@pytest.mark.parametrize("size", [1000, 65_536, 10**9])
def test_every_record_is_read(number: int, size: int) -> None:
    """Short or long, and wherever its parts are cut, each record is there with all its fields, in order."""
    body = answer([record(one + 1) for one in range(number)], count=number)
    assert (len(body) > WHOLE) == (number == LONG)
    found = read(body, size)
    assert [one.as_json() for one in found] == [record(one + 1) for one in range(number)]


@pytest.mark.parametrize("number", [2, LONG])
def test_only_attested_fields(number: int) -> None:
    """What nobody asks for is left out, whether the answer is long or short."""
    found = read(answer([record(one + 1) for one in range(number)], count=number), attested_only=True)
    assert [one.id for one in found] == list(range(1, number + 1))
    assert found[-1].as_json().keys() == {"ID", "Subject", "dtCreated"}


def long(**around: object) -> bytes:
    return answer([record(one + 1) for one in range(LONG)], **around)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "no JSON object"),
        (answer(None), "no list of records"),
        (answer([], count=3), "0 records but counts 3"),
        (answer([{"ID": "x"}]), "a record's field ID cannot be read"),
        (long(count=LONG + 1), f"{LONG} records but counts {LONG + 1}"),
        (long(status=500), "another status than HTTP 200"),
        (long(count=LONG)[:-1], "no JSON"),
        (long(count=LONG)[: WHOLE + 7], "no JSON"),
        (b"<" + b"x" * WHOLE, "no JSON"),
        (
            answer([record(1) | {"ID": -1}, *(record(one + 1) for one in range(LONG))]),
            "field ID cannot be read",
        ),
        (orjson.dumps({"status": 200, "words": "x" * WHOLE}), "no list of records"),
    ],
)
def test_what_cannot_be_believed(body: bytes, problem: str) -> None:
    """An answer that was cut, or is none, is never taken for a shorter list."""
    with pytest.raises(ValueError, match=problem):
        read(body)


def test_the_error_quotes_nothing() -> None:
    """It says which field, without the record's text."""
    with pytest.raises(ValueError, match="field Sender") as found:
        read(answer([record(1) | {"Sender": ["private"]}]))
    assert "private" not in str(found.value)


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that were taken meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_list_is_never_whole_in_memory() -> None:
    """It takes a third of what it would take to read it whole and then make the records, or less."""
    body = long(count=LONG)
    whole = peak_of(lambda: [AcdEvent.model_validate(one) for one in orjson.loads(body)["records"]])
    assert peak_of(lambda: read(body, attested_only=True)) < whole / 3


def test_a_long_answer_that_is_nested_deep_costs_no_memory() -> None:
    """A few thousand levels in a long answer would take hundreds of megabytes of the parser."""
    deep = long().replace(b'"SkillsValue7":null', b'"SkillsValue7":' + b"[" * 4000 + b"]" * 4000, 1)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="nested too deep"):
            read(deep)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(deep)
    finally:
        tracemalloc.stop()
