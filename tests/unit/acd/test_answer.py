import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.acd.answer import MAX_ID, Meaning, event_id_of, judge, read_answer
from bridge.reason import Reason

EVENT = {"ID": 4711, "Subject": "x", "UsersID": None, "Future": [1]}


def success(**changes: object) -> bytes:
    return orjson.dumps({"records": [EVENT], "count": 1, "status": 200} | changes)


def test_creation_is_read_with_its_id_and_all_fields() -> None:
    """A 200 with one event is a creation; unknown fields and nulls stay in the event."""
    answer = read_answer(200, {}, success())
    assert (answer.meaning, answer.reason, answer.status) == (Meaning.CREATED, Reason.NONE, 200)
    assert answer.event_id == 4711
    assert answer.event == EVENT


def test_updated_is_told_by_result() -> None:
    """`Result_` with the value `UPDATED`, and no other value, makes it an update."""
    updated = read_answer(200, {}, success(records=[EVENT | {"Result_": "UPDATED"}]))
    other = read_answer(200, {}, success(records=[EVENT | {"Result_": None}]))
    assert (updated.meaning, other.meaning) == (Meaning.UPDATED, Meaning.CREATED)
    assert updated.event_id == 4711


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"OK",
        b"<html>200</html>",
        success()[:-9],
        success(records=[]),
        success(records=None),
        success(records={}),
        success(records=["x"]),
        success(records=[EVENT, EVENT]),
        success(count=0),
        success(count=2),
        success(count="1"),
        success(count=None),
        success(status=500),
        success(status="200"),
        success(status=None),
        success(records=[{"Subject": "x"}]),
        success(records=[{"ID": None}]),
        success(records=[{"ID": True}]),
        success(records=[{"ID": 0}]),
        success(records=[{"ID": -1}]),
        success(records=[{"ID": 1.5}]),
        success(records=[{"ID": "x"}]),
        success(records=[{"ID": "٣"}]),
        success(records=[{"ID": "9" * 5000}]),
    ],
)
def test_success_that_cannot_be_believed_is_uncertain(body: bytes) -> None:
    """A 200 without exactly one event that has an ID may have made an event: uncertain, never done."""
    answer = read_answer(200, {}, body)
    assert (answer.meaning, answer.reason) == (Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE)
    assert answer.words
    assert answer.event_id is None


def test_success_without_count_and_status_is_taken() -> None:
    """What only repeats HTTP may be missing, as long as the one event and its ID are there."""
    assert read_answer(200, {}, orjson.dumps({"records": [EVENT]})).meaning is Meaning.CREATED


def test_other_statuses_of_success_are_read_alike() -> None:
    """A 201 with its event is a creation too; a 204 cannot say which."""
    assert read_answer(201, {}, success(status=201)).meaning is Meaning.CREATED
    assert read_answer(201, {}, success()).meaning is Meaning.UNCERTAIN
    assert read_answer(204, {}, b"").meaning is Meaning.UNCERTAIN


@pytest.mark.parametrize(
    ("status", "is_json", "meaning", "reason"),
    [
        (400, True, Meaning.REFUSED, Reason.ACD_REFUSED),
        (400, False, Meaning.REFUSED, Reason.ACD_REFUSED),
        (409, False, Meaning.REFUSED, Reason.ACD_REFUSED),
        (422, True, Meaning.REFUSED, Reason.ACD_REFUSED),
        (404, True, Meaning.REFUSED, Reason.ACD_REFUSED),
        (404, False, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (401, True, Meaning.UNAUTHORISED, Reason.ACD_UNAUTHORISED),
        (403, False, Meaning.UNAUTHORISED, Reason.ACD_UNAUTHORISED),
        (408, False, Meaning.LATER, Reason.ACD_BUSY),
        (425, False, Meaning.LATER, Reason.ACD_BUSY),
        (429, False, Meaning.LATER, Reason.ACD_BUSY),
        (500, True, Meaning.LATER, Reason.ACD_FAILED),
        (502, False, Meaning.UNCERTAIN, Reason.ACD_FAILED),
        (503, False, Meaning.LATER, Reason.ACD_FAILED),
        (504, False, Meaning.UNCERTAIN, Reason.ACD_FAILED),
        (301, False, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (302, True, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (405, True, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (407, True, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (415, True, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (501, False, Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS),
        (413, False, Meaning.REFUSED, Reason.ACD_REFUSED),
        (418, True, Meaning.REFUSED, Reason.ACD_REFUSED),
        (101, False, Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE),
        (999, False, Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE),
    ],
)
def test_every_status_has_its_meaning(
    status: int, *, is_json: bool, meaning: Meaning, reason: Reason
) -> None:
    """The table of answers: what concerns one event, what concerns all, and what passes."""
    assert judge(status, is_json=is_json) == (meaning, reason)


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        (b"", Meaning.WRONG_ADDRESS),
        (b"\r\n ", Meaning.WRONG_ADDRESS),
        (b"<html>Not Found</html>", Meaning.WRONG_ADDRESS),
        (b'{"status": 404, "error": "ACD group not found"}', Meaning.REFUSED),
        (b"{}", Meaning.REFUSED),
    ],
)
def test_404_is_told_by_its_body(body: bytes, meaning: Meaning) -> None:
    """Empty or a page: no such endpoint. JSON: no such object."""
    assert read_answer(404, {}, body).meaning is meaning


def test_refusal_keeps_the_acds_words() -> None:
    """The `error` of the body is kept, cleaned and bounded."""
    answer = read_answer(400, {}, orjson.dumps({"status": 400, "error": "bad\x1b[31m\n" + "x" * 9999}))
    assert answer.words.startswith("bad [31m x")
    assert len(answer.words) == 500


def test_only_later_carries_retry_after() -> None:
    """A Retry-After is obeyed where the ACD asks to come later, and means nothing elsewhere."""
    assert read_answer(503, {"Retry-After": "7"}, b"").retry_after == 7
    assert read_answer(400, {"Retry-After": "7"}, b"").retry_after is None


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({"ID": 5}, 5),
        ({"AcdEventsID": 6}, 6),
        ({"ID": None, "AcdEventsID": 6}, 6),
        ({"ID": "7"}, 7),
        ({"ID": MAX_ID}, MAX_ID),
        ({"ID": MAX_ID + 1}, None),
        ({}, None),
    ],
)
def test_id_is_read_under_both_names(event: dict[str, object], number: int | None) -> None:
    """The ID is `ID` or `AcdEventsID`, a positive integer that the state file can keep."""
    assert event_id_of(event) == number


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["records", "count", "status", "ID"]), inner)
    ),
    max_leaves=12,
)


@given(status=st.integers(100, 999), body=st.binary() | JSON.map(lambda value: orjson.dumps(_small(value))))
def test_no_answer_raises(status: int, body: bytes) -> None:
    """Whatever the ACD sends becomes an answer, and done only where it carries an ID."""
    answer = read_answer(status, {}, body)
    assert (answer.event_id is not None) == (answer.meaning in {Meaning.CREATED, Meaning.UPDATED})
    assert len(answer.words) <= 500
    assert answer.words.isprintable()


def _small(value: object) -> object:
    """The value with the integers that orjson can write."""
    if isinstance(value, dict):
        return {key: _small(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_small(inner) for inner in value]
    return value % 2**63 if isinstance(value, int) and not isinstance(value, bool) else value
