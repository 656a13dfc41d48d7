"""A list as it comes from the ACD: the API has no paging, so that one answer may hold everything of the account.

A short answer is read whole, and each of its faults is named. Of a longer one only the records are kept.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import ijson
from pydantic import ValidationError

from bridge.acd.answer import read_json
from bridge.acd.envelope import problem_of_envelope
from bridge.acd.escapes import Mending
from bridge.acd.nesting import Nesting
from bridge.acd.record import Record

WHOLE: Final = 1024 * 1024
"""Bytes up to which an answer is read whole."""

R = TypeVar("R", bound=Record)


class Listing(Generic[R]):
    """Takes the parts of a successful answer, and makes records of them."""

    def __init__(self, model: type[R], *, attested_only: bool) -> None:
        """`attested_only` leaves out the fields that `model` does not name; a long list then takes a third."""
        self._model = model
        self._kept = model.attested() if attested_only else None
        self._head = bytearray()
        self._stream: _Stream | None = None
        self._nesting = Nesting()
        self._made: list[R] = []
        self._problem = ""

    def take(self, part: bytes) -> None:
        """The next part. What cannot be read is told by `records`."""
        if self._stream is None:
            self._head += part
            if len(self._head) <= WHOLE:
                return
            self._stream, part = _Stream(), bytes(self._head)
            self._head.clear()
        if self._problem:
            return
        if self._nesting.goes_too_deep(part):
            self._problem = "the answer is nested too deep"
            return
        self._make_of(self._stream.feed, part)

    def records(self, status: int) -> list[R]:
        """All records, once the answer is whole. Raises ValueError that says why they cannot be believed."""
        if self._stream is None:
            document = read_json(bytes(self._head))
            self._problem = problem_of_envelope(document, status=status)
            if not self._problem:
                self._make(document["records"])
        elif not self._problem:
            self._make_of(self._stream.end)
        if self._stream is not None and not self._problem:
            self._problem = self._stream.problem(status=status)
        if self._problem:
            raise ValueError(self._problem)
        return self._made

    def head(self) -> bytes:
        """The answer, where it was short."""
        return bytes(self._head)

    def _make_of(self, read: Callable[..., list[Any]], *parts: bytes) -> None:
        try:
            self._make(read(*parts))
        except ijson.JSONError:
            self._problem = "the answer is no JSON"

    def _make(self, records: list[Any]) -> None:
        try:
            self._made += [self._model.model_validate(self._part_of(record)) for record in records]
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            self._problem = f"a record's field {field} cannot be read: {first['msg']}"

    def _part_of(self, record: Any) -> Any:
        if self._kept is None or not isinstance(record, dict):
            return record
        return {name: record[name] for name in self._kept if name in record}


class _Stream:
    """The records, and what stands around them, of an answer that is fed part after part."""

    def __init__(self) -> None:
        self._number = 0
        self._mending = Mending()
        self._records = ijson.sendable_list()
        self._around = {name: ijson.sendable_list() for name in ("count", "status")}
        self._readers = [
            ijson.items_coro(self._records, "records.item", use_float=True),
            *(ijson.items_coro(found, name, use_float=True) for name, found in self._around.items()),
        ]

    def feed(self, part: bytes) -> list[Any]:
        """The records that have come to their end. Raises ijson.JSONError."""
        return self._read(self._mending.feed(part))

    def end(self) -> list[Any]:
        """As `feed`, once there are no more parts."""
        return self._read(self._mending.end())

    def _read(self, part: bytes) -> list[Any]:
        for reader in self._readers if part else ():
            reader.send(part)
        come = list(self._records)
        self._records.clear()
        self._number += len(come)
        return come

    def problem(self, *, status: int) -> str:
        """Why the answer cannot be believed, or nothing; see `bridge.acd.envelope`."""
        try:
            for reader in self._readers:
                reader.close()
        except ijson.JSONError:
            return "the answer is no JSON"
        counts, statuses = self._around["count"], self._around["status"]
        if any(one != status for one in statuses):
            return f"the answer names another status than HTTP {status}"
        if not self._number:
            return "the answer has no list of records"
        if any(one != self._number for one in counts):
            return f"the answer holds {self._number} records but counts {str(counts[0])[:20]}"
        return ""
