"""The answer: what an attempt to create an AcdEvent came to.

Two pure functions make it: `read_answer` of what the ACD sent, `read_failure` of an error in place of a whole
answer. Together they are the table of docs/acd.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from bridge.acd.escapes import mended
from bridge.acd.network import AnswerTooLarge, is_unreadable, words_of_failure
from bridge.acd.retry_after import retry_after
from bridge.acd.words import words_of
from bridge.reason import Reason

MAX_ID: Final = 2**63 - 1
"""The largest ID that the state file can keep."""


class Meaning(StrEnum):
    """What an answer means for the event, and for all others."""

    CREATED = "created"  #: the ACD made a new event
    UPDATED = "updated"  #: the ACD updated an event that was there (`Result_` is `UPDATED`)
    REFUSED = "refused"  #: the ACD refuses this one event; the same request will be refused again
    UNAUTHORISED = "unauthorised"  #: token or client is wrong; nobody's event can pass
    WRONG_ADDRESS = "wrong-address"  #: this is not the ACD's API; nobody's event can pass
    LATER = "later"  #: the ACD cannot now
    NOT_SENT = "not-sent"  #: there was no connection; the request surely did not leave
    UNCERTAIN = "uncertain"  #: the event may exist; look for it before another try


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an attempt came to."""

    meaning: Meaning
    reason: Reason = Reason.NONE
    status: int | None = None
    """The HTTP status, where there was one."""
    event_id: int | None = None
    """The event's ID where it was created or updated."""
    words: str = ""
    """The ACD's words, or ours, for the operator: at most 500 characters, one line. Never logged: they may
    name what was sent."""
    retry_after: float | None = None
    """Seconds that the ACD asks to wait, at most a day."""
    event: dict[str, Any] | None = None
    """The event as the ACD sent it, with all its fields."""
    says_the_same: bool = False
    """Whether the event that was updated says what the request said, so that an earlier one may have made it."""


_LATER = frozenset({408, 425, 429})
_CONCERNS_EVERYBODY = frozenset({405, 406, 407, 415, 421, 426, 501, 505, 511})
"""Method, media type, protocol, proxy: the same for each event, so the address or the product is wrong."""

_PERHAPS_PASSED_ON = frozenset({502, 504})
"""A proxy got the request and no answer from the ACD (RFC 9110 sections 15.6.3 and 15.6.5): the event may exist."""


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Answer:
    """What the ACD's answer to `POST /acd/events/create` means.

    `now` (seconds since 1970) is only needed for a Retry-After that is a date in an answer without Date.
    """
    document = read_json(body)
    if 200 <= status < 300:
        return _read_success(status, document)
    meaning, reason = judge(status, is_json=isinstance(document, dict))
    return Answer(
        meaning=meaning,
        reason=reason,
        status=status,
        words=words_of(document, body) or "no further words",
        retry_after=retry_after(headers, now=now) if meaning is Meaning.LATER else None,
    )


def read_failure(error: BaseException, *, sent: bool) -> Answer:
    """What an error in place of an answer means. `sent`: whether any byte of the request may have left."""
    words = words_of_failure(error)
    if not sent:
        return Answer(meaning=Meaning.NOT_SENT, reason=Reason.ACD_UNREACHABLE, words=words)
    if isinstance(error, TimeoutError):
        reason = Reason.TIMED_OUT
    elif isinstance(error, AnswerTooLarge) or is_unreadable(error):
        reason = Reason.ANSWER_UNREADABLE
    else:
        reason = Reason.CONNECTION_LOST
    return Answer(meaning=Meaning.UNCERTAIN, reason=reason, words=words)


def read_json(body: bytes) -> Any:
    """The body as JSON, or None where it is none; `null` is no answer either."""
    try:
        return orjson.loads(mended(body))
    except orjson.JSONDecodeError:
        return None


def judge(status: int, *, is_json: bool) -> tuple[Meaning, Reason]:  # noqa: PLR0911 - a row of the table each
    """What an HTTP status other than 2xx means. `is_json`: whether the body is a JSON object.

    A 404 speaks of the object where its body is JSON, and of the endpoint where it is not.
    """
    if status in {401, 403}:
        return Meaning.UNAUTHORISED, Reason.ACD_UNAUTHORISED
    if status in _LATER:
        return Meaning.LATER, Reason.ACD_BUSY
    if status in _CONCERNS_EVERYBODY or 300 <= status < 400 or (status == 404 and not is_json):
        return Meaning.WRONG_ADDRESS, Reason.ACD_WRONG_ADDRESS
    if 400 <= status < 500:
        return Meaning.REFUSED, Reason.ACD_REFUSED
    if status in _PERHAPS_PASSED_ON:
        return Meaning.UNCERTAIN, Reason.ACD_FAILED
    if 500 <= status < 600:
        return Meaning.LATER, Reason.ACD_FAILED
    return Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE


def _read_success(status: int, document: Any) -> Answer:
    problem = _problem_of(status, document)
    if problem:
        return Answer(
            meaning=Meaning.UNCERTAIN,
            reason=Reason.ANSWER_UNREADABLE,
            status=status,
            words=f"HTTP {status}, but {problem}",
        )
    event = document["records"][0]
    updated = event.get("Result_") == "UPDATED"
    return Answer(
        meaning=Meaning.UPDATED if updated else Meaning.CREATED,
        status=status,
        event_id=event_id_of(event),
        event=event,
    )


def _problem_of(status: int, document: Any) -> str:
    """Why an answer of success cannot be believed, or nothing."""
    if not isinstance(document, dict):
        return "the body is no JSON object"
    if document.get("status", status) != status:
        return "the body names another status"
    records = document.get("records")
    if not isinstance(records, list) or len(records) != 1 or document.get("count", 1) != 1:
        return "the body does not hold exactly one record"
    if not isinstance(records[0], dict) or event_id_of(records[0]) is None:
        return "the event has no readable ID"
    return ""


def event_id_of(event: Mapping[str, Any]) -> int | None:
    """The event's ID, from `ID` or else `AcdEventsID`; None where neither is a positive integer."""
    for name in ("ID", "AcdEventsID"):
        value = event.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID:
            return value
    return None
