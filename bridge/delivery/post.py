"""From an event draft to the ACD's answer: names become IDs, the request is checked, then it is posted."""

from dataclasses import replace
from typing import Protocol

from pydantic import ValidationError

from bridge.acd.answer import Answer, Meaning
from bridge.acd.directory import Directory
from bridge.acd.failure import AcdFailure, AmbiguousName, UnknownName
from bridge.acd.record import AcdEvent
from bridge.acd.request import CreateRequest, normalised, problems_of
from bridge.delivery.reconcile import says_the_same
from bridge.errors import AcdError
from bridge.event import EventDraft
from bridge.reason import Reason


class CreatesEvents(Protocol):
    """What is needed of the ACD's client."""

    async def create_event(self, request: CreateRequest) -> Answer:
        """Post it; what the ACD or the network does is a value, never an exception."""


class Poster:
    """Posts drafts. Nothing that the ACD or the network does raises: it is the answer."""

    def __init__(self, client: CreatesEvents, directory: Directory, *, phone_plus: bool) -> None:
        self._client = client
        self._directory = directory
        self._phone_plus = phone_plus

    async def post(self, draft: EventDraft) -> Answer:
        """Resolve, check and post the draft."""
        try:
            request = await self.request_of(draft)
        except (UnknownName, AmbiguousName) as error:
            return Answer(meaning=Meaning.REFUSED, reason=Reason.UNKNOWN_NAME, words=str(error))
        except AcdFailure as error:
            return _names_unread(error)
        if found := problems_of(request, type_name=self._directory.type_name(request.type)):
            return Answer(meaning=Meaning.REFUSED, reason=Reason.INVALID_EVENT, words="; ".join(found))
        answer = await self._client.create_event(request)
        if _may_be_for_its_names(draft, answer):
            again = await self._request_of_new_lists(draft)
            if again is not None and again != request:
                request, answer = again, await self._client.create_event(again)
        return replace(answer, says_the_same=_says_the_same(request, answer))

    async def _request_of_new_lists(self, draft: EventDraft) -> CreateRequest | None:
        """The request as the ACD's lists say it now, or None where a name is not in them any more."""
        await self._directory.read_again()
        try:
            return await self.request_of(draft)
        except AcdError:
            return None

    async def request_of(self, draft: EventDraft) -> CreateRequest:
        """The request that a draft becomes. Raises UnknownName, AmbiguousName or AcdFailure."""
        fields = draft.as_dict() | {"type": await self._directory.type_id(draft.type)}
        if draft.group is not None:
            fields["group"] = await self._directory.group_id(draft.group)
        request = CreateRequest(**fields)
        type_name = self._directory.type_name(request.type)
        return normalised(request, type_name=type_name, plus=self._phone_plus)


def _may_be_for_its_names(draft: EventDraft, answer: Answer) -> bool:
    """Whether the ACD itself refused IDs that were looked up by name, which may be others by now."""
    refused = answer.meaning is Meaning.REFUSED and answer.status is not None
    return refused and (isinstance(draft.type, str) or isinstance(draft.group, str))


def _says_the_same(request: CreateRequest, answer: Answer) -> bool:
    if answer.meaning is not Meaning.UPDATED or answer.event is None:
        return False
    try:
        return says_the_same(request, AcdEvent.model_validate(answer.event))
    except ValidationError:  # a field that nobody can read says nothing
        return False


def _names_unread(error: AcdFailure) -> Answer:
    """The answer where the ACD's lists cannot be read: the event surely was not sent."""
    meanings = {
        Reason.ACD_UNAUTHORISED: Meaning.UNAUTHORISED,
        Reason.ACD_WRONG_ADDRESS: Meaning.WRONG_ADDRESS,
        Reason.ACD_BUSY: Meaning.LATER,
        Reason.ACD_FAILED: Meaning.LATER,
    }
    meaning = meanings.get(error.reason, Meaning.NOT_SENT)
    return Answer(
        meaning=meaning,
        reason=error.reason if meaning is not Meaning.NOT_SENT else Reason.ACD_UNREACHABLE,
        status=error.status,
        words=f"names could not be resolved: {error.message}"[:500],
        retry_after=error.retry_after,
    )
