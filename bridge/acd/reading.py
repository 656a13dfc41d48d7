"""Reading calls: asked, checked, made into records, or raised as the AcdError that says what went wrong."""

import asyncio
import time
from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson
from aiohttp import ClientTimeout
from yarl import URL

from bridge.acd.answer import Answer, Meaning, read_answer, read_failure, read_json
from bridge.acd.bearer import Bearer, TokenUnusable
from bridge.acd.envelope import problem_of_receipt
from bridge.acd.failure import AcdNotFound, failure_of, unreadable
from bridge.acd.listing import Listing
from bridge.acd.network import hint_of_failure, words_of_failure
from bridge.acd.record import Record
from bridge.acd.wire import READERS, Call, Loss, Reply, Wire
from bridge.reason import Reason

SINGLE_LIMIT: Final = 1024 * 1024
"""Bytes of one record's answer."""
LIST_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of a list's answer: the API has no paging, a list is always everything."""
LIST_PATIENCE: Final = 8
"""A list may take this many times `acd.timeout`, as long as bytes keep coming."""

R = TypeVar("R", bound=Record)


class Reader:
    """Asks for records. Every method raises AcdFailure."""

    def __init__(self, wire: Wire, bearer: Bearer, timeout: float) -> None:
        self._wire = wire
        self._bearer = bearer
        self._single = ClientTimeout(total=timeout)
        self._list = ClientTimeout(total=timeout * LIST_PATIENCE, sock_connect=timeout, sock_read=timeout)
        self._free = asyncio.Semaphore(READERS)

    async def all(self, model: type[R], url: URL, *, attested_only: bool = False) -> list[R]:
        """Every record of a list; with `attested_only` without the fields that `model` does not name."""
        return await self._records(
            model, Call("GET", url, self._list, LIST_LIMIT), attested_only=attested_only
        )

    async def one(self, model: type[R], url: URL, *, data: bytes | None = None) -> R:
        """The one record of an answer."""
        call = Call("GET" if data is None else "POST", url, self._single, SINGLE_LIMIT, data)
        records = await self._records(model, call)
        if len(records) != 1:
            raise unreadable(_words(call), f"the answer holds {len(records)} records in place of one")
        return records[0]

    async def named(self, model: type[R], url: URL) -> list[R]:
        """The records whose names match; none where the ACD says that there are none."""
        try:
            return await self.all(model, url)
        except AcdNotFound:
            return []

    async def delete(self, url: URL) -> None:
        """Delete what is at this address."""
        call = Call("DELETE", url, self._single, SINGLE_LIMIT)
        reply = await self._asked(call)
        problem = problem_of_receipt(read_json(reply.body), status=reply.status)
        if problem:
            raise unreadable(_words(call), problem, status=reply.status, body=reply.body)

    async def _records(self, model: type[R], call: Call, *, attested_only: bool = False) -> list[R]:
        listing = Listing(model, attested_only=attested_only)
        reply = await self._asked(replace(call, take=listing.take))
        try:
            return listing.records(reply.status)
        except ValueError as error:
            raise unreadable(_words(call), str(error), status=reply.status, body=listing.head()) from None

    async def _asked(self, call: Call) -> Reply:
        """The whole answer of success."""
        try:
            async with self._free:
                result = await self._wire.exchange(call)
        except TokenUnusable as error:
            answer = unusable_token(error)
            raise failure_of(answer, call=_words(call), hint="check acd.token") from error
        if isinstance(result, Loss):
            raise _lost(call, result.error, sent=result.sent)
        if 200 <= result.status < 300 and result.broken is None:
            return result
        if result.broken is not None and (result.status < 300 or result.status == 404):
            raise _lost(call, result.broken, sent=True)
        answer = read_answer(result.status, result.headers, result.body, now=time.time())
        if answer.meaning is Meaning.UNAUTHORISED:
            self._bearer.forget()
        raise failure_of(answer, call=_words(call), body=result.body)


def unusable_token(error: TokenUnusable) -> Answer:
    """The answer where there is no token to ask with: as if the ACD had refused it."""
    return Answer(meaning=Meaning.UNAUTHORISED, reason=Reason.ACD_UNAUTHORISED, words=str(error))


def _lost(call: Call, error: Exception, *, sent: bool) -> Exception:
    answer = read_failure(error, sent=sent)
    if answer.reason is Reason.ANSWER_UNREADABLE:
        return unreadable(_words(call), words_of_failure(error))
    return failure_of(answer, call=_words(call), hint=hint_of_failure(error))


def _words(call: Call) -> str:
    return f"{call.method} {call.url.path}"


def to_body(fields: dict[str, Any]) -> bytes:
    """The fields that are given, as JSON."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})
