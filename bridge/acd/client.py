"""The client of the ACD's REST API: every documented call, typed.

Reading calls raise AcdFailure (see `bridge.acd.failure`). `create_event` raises nothing that the ACD or the
network does: what came of it is its Answer.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import ClientTimeout

from bridge.acd.address import Addresses
from bridge.acd.answer import Answer, Meaning, read_answer, read_failure
from bridge.acd.bearer import Bearer, TokenUnusable
from bridge.acd.failure import AmbiguousName
from bridge.acd.reading import SINGLE_LIMIT, Reader, to_body, unusable_token
from bridge.acd.record import AcdEvent, AcdEventStatus, AcdEventType, AcdGroup, DiallerCampaign, ResultCode
from bridge.acd.request import CreateRequest
from bridge.acd.wire import Call, Loss, Reply, Wire
from bridge.config.acd import Acd
from bridge.errors import AcdError
from bridge.metrics import DELIVERY_SECONDS
from bridge.reason import Reason


class AcdClient:
    """One ACD, one client account, one session. Use it as `async with AcdClient(config, token=...) as acd`.

    `token` gives the API token; it is asked again after a while and when the ACD refused it.
    Opening raises AcdError where `acd.ca_file` cannot be used.
    """

    def __init__(self, config: Acd, *, token: Callable[[], str]) -> None:
        self._addresses = Addresses.of(config)
        self._create_url = self._addresses.create_event()
        self._timeout = ClientTimeout(total=config.timeout)
        self._bearer = Bearer(token)
        self._wire = Wire(config, self._bearer)
        self._reader = Reader(self._wire, self._bearer, config.timeout)

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

    async def create_event(self, request: CreateRequest) -> Answer:
        """`POST /acd/events/create`: create an event, or update the one that the ACD holds for the same."""
        try:
            data = request.to_json()
        except (TypeError, ValueError) as error:
            return Answer(
                meaning=Meaning.REFUSED,
                reason=Reason.INVALID_EVENT,
                words=f"no JSON can be made of it: {error}",
            )
        began = time.perf_counter()
        try:
            result = await self._wire.exchange(
                Call("POST", self._create_url, self._timeout, SINGLE_LIMIT, data)
            )
        except TokenUnusable as error:
            return unusable_token(error)
        DELIVERY_SECONDS.observe(time.perf_counter() - began)
        answer = _answer_of(result)
        if answer.meaning is Meaning.UNAUTHORISED:
            self._bearer.forget()
        return answer

    async def events(self, *, attested_only: bool = False) -> list[AcdEvent]:
        """`GET /acd/events`: all events of the account, ordered by dtCreated. Dear: it has no paging.

        With `attested_only` they hold only the fields that AcdEvent names: a third of the memory.
        """
        return await self._reader.all(AcdEvent, self._addresses.events(), attested_only=attested_only)

    async def event(self, event_id: int) -> AcdEvent:
        """`GET /acd/events/event/{AcdEventsID}`. Raises AcdNotFound, also for events purged since."""
        return await self._reader.one(AcdEvent, self._addresses.event(_id(event_id)))

    async def event_types(self) -> list[AcdEventType]:
        """`GET /acd/events/types`."""
        return await self._reader.all(AcdEventType, self._addresses.event_types())

    async def event_statuses(self) -> list[AcdEventStatus]:
        """All states of events, at `acd.paths.statuses`."""
        return await self._reader.all(AcdEventStatus, self._addresses.event_statuses())

    async def groups(self) -> list[AcdGroup]:
        """`GET /acd/groups`: all groups, ordered by Name."""
        return await self._reader.all(AcdGroup, self._addresses.groups())

    async def group(self, group_id: int) -> AcdGroup:
        """`GET /acd/groups/group/{AcdGroupsID}`. Raises AcdNotFound."""
        return await self._reader.one(AcdGroup, self._addresses.group(_id(group_id)))

    async def groups_named(self, name: str) -> list[AcdGroup]:
        """`GET /acd/groups/group?name=`: the groups whose names hold `name`, as the ACD matches them."""
        return await self._reader.named(AcdGroup, self._addresses.groups_named(_name(name)))

    async def group_named_exactly(self, name: str) -> AcdGroup | None:
        """The one group of exactly this name, or None. Raises AmbiguousName where there are several."""
        exact = [group for group in await self.groups_named(name) if group.name == name]
        if len(exact) > 1:
            raise AmbiguousName("group", name, [group.id for group in exact])
        return exact[0] if exact else None

    async def campaigns(self) -> list[DiallerCampaign]:
        """`GET /dialler/campaigns`: all campaigns, ordered by Name."""
        return await self._reader.all(DiallerCampaign, self._addresses.campaigns())

    async def campaign(self, campaign_id: int) -> DiallerCampaign:
        """`GET /dialler/campaigns/{DiallerCampaignsID}`. Raises AcdNotFound."""
        return await self._reader.one(DiallerCampaign, self._addresses.campaign(_id(campaign_id)))

    async def campaigns_named(self, name: str) -> list[DiallerCampaign]:
        """`GET /dialler/campaigns/campaign?name=`: the campaigns whose names hold `name`."""
        return await self._reader.named(DiallerCampaign, self._addresses.campaigns_named(_name(name)))

    async def result_codes(self, campaign_id: int, languages_id: int) -> list[ResultCode]:
        """A campaign's result codes, in the language 1 (English) or 2 (German)."""
        url = self._addresses.result_codes(_id(campaign_id), _id(languages_id))
        return await self._reader.all(ResultCode, url)

    async def clone_campaign(
        self, source: str, destination: str, user_data: str | None = None
    ) -> DiallerCampaign:
        """`POST /dialler/campaigns/clone`: copy all but the contacts.

        Raises AcdNotFound where there is no source, AcdConflict where the destination exists. After
        AcdConnectionLost the copy may exist.
        """
        body = to_body({"source": _name(source), "destination": _name(destination), "userData": user_data})
        return await self._reader.one(DiallerCampaign, self._addresses.clone_campaign(), data=body)

    async def delete_campaign(self, campaign_id: int) -> None:
        """Delete a campaign and all its data, at `acd.paths.delete_campaign`. Raises AcdNotFound."""
        await self._reader.delete(self._addresses.delete_campaign(_id(campaign_id)))

    async def delete_campaign_named(self, name: str) -> None:
        """`DELETE /dialler/campaigns/campaign?name=`. Raises AcdNotFound."""
        await self._reader.delete(self._addresses.campaigns_named(_name(name)))


def _answer_of(result: Reply | Loss) -> Answer:
    """A body that broke off only matters where the status alone does not say what it means."""
    if isinstance(result, Loss):
        return read_failure(result.error, sent=result.sent)
    if result.broken is not None and (result.status < 300 or result.status == 404):
        return read_failure(result.broken, sent=True)
    return read_answer(result.status, result.headers, result.body, now=time.time())


def _id(value: int) -> int:
    if isinstance(value, bool) or value < 1:
        raise AcdError(f"{value!r} is no ID", hint="IDs of the ACD are positive integers")
    return value


def _name(value: str) -> str:
    """A name to ask for. An empty one would match everything."""
    if not value.strip():
        raise AcdError("the name is empty", hint="name what you look for")
    return value
