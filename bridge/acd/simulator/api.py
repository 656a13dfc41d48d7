"""The documented endpoints as a function of one request: what the simulated ACD answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bridge.acd.simulator.campaigns import LANGUAGES, MAX_CAMPAIGNS, Campaigns
from bridge.acd.simulator.checks import refusal_of
from bridge.acd.simulator.events import Events
from bridge.acd.simulator.refusal import NO_ENDPOINT, UNAUTHORISED, Refusal
from bridge.acd.simulator.settings import STATUSES, Settings

Outcome = bytes | Refusal
"""The body of a 200, or why there is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as the API looks at it."""

    method: str
    path: str
    """Below the base URL, decoded."""
    query: Mapping[str, str]
    content_type: str
    body: bytes


class Api:
    """The whole API of one client account."""

    def __init__(self, settings: Settings, events: Events, campaigns: Campaigns) -> None:
        self._settings = settings
        self._events = events
        self._campaigns = campaigns
        self._fixed: dict[tuple[str, str], Callable[[Asked], Outcome]] = {
            ("GET", "/acd/events"): self._all_events,
            ("POST", "/acd/events/create"): self._create_event,
            ("GET", "/acd/events/types"): self._types,
            ("GET", "/acd/events/status"): self._statuses,
            ("GET", "/acd/groups"): self._all_groups,
            ("GET", "/acd/groups/group"): self._groups_like,
            ("GET", "/dialler/campaigns"): self._all_campaigns,
            ("GET", "/dialler/campaigns/campaign"): self._campaigns_like,
            ("POST", "/dialler/campaigns/clone"): self._clone,
            ("DELETE", "/dialler/campaigns/campaign"): self._delete_named,
        }

    def answer(self, asked: Asked) -> Outcome:
        """What the ACD answers to a request that may pass."""
        fixed = self._fixed.get((asked.method, asked.path))
        return self._by_number(asked) if fixed is None else fixed(asked)

    def _by_number(self, asked: Asked) -> Outcome:
        folder, _, last = asked.path.rpartition("/")
        if folder.startswith("/dialler/campaigns/campaign/") and last == "resultCodes":
            return self._result_codes(asked, folder.removeprefix("/dialler/campaigns/campaign/"))
        found = {
            ("GET", "/acd/events/event"): self._one_event,
            ("GET", "/acd/groups/group"): self._one_group,
            ("GET", "/dialler/campaigns"): self._one_campaign,
            ("DELETE", "/dialler/campaigns/campaign"): self._delete,
        }.get((asked.method, folder))
        number = _number(last)
        return NO_ENDPOINT if found is None or number is None else found(number)

    def _all_events(self, _asked: Asked) -> Outcome:
        return _list([self._events.view(event) for event in self._events.all()], "dtCreated")

    def _one_event(self, number: int) -> Outcome:
        event = self._events.get(number)
        return Refusal(404, "AcdEvent not found") if event is None else _records([self._events.view(event)])

    def _create_event(self, asked: Asked) -> Outcome:
        fields = _posted(asked)
        if isinstance(fields, Refusal):
            return fields
        refusal = refusal_of(fields, self._settings)
        if refusal is not None:
            return refusal
        event, updated = self._events.create(fields, asked.body)
        return _records([self._events.view(event, updated=updated)])

    def _types(self, _asked: Asked) -> Outcome:
        return _list(
            [
                {"ShortText": f"AcdEventTypes.{name}", "ID": number}
                for name, number in self._settings.types.items()
            ],
            "ID",
        )

    def _statuses(self, _asked: Asked) -> Outcome:
        return _list(
            [{"ShortText": f"AcdEventStatus.{name}", "ID": number} for name, number in STATUSES.items()], "ID"
        )

    def _all_groups(self, _asked: Asked) -> Outcome:
        return _list([_group(name, number) for name, number in sorted(self._settings.groups.items())], "Name")

    def _one_group(self, number: int) -> Outcome:
        for name, known in self._settings.groups.items():
            if known == number:
                return _records([_group(name, number)])
        return Refusal(404, "ACD group not found")

    def _groups_like(self, asked: Asked) -> Outcome:
        part = asked.query.get("name")
        if not part:
            return Refusal(400, "Required parameter missing: name")
        found = [
            _group(name, number) for name, number in sorted(self._settings.groups.items()) if part in name
        ]
        return _records(found) if found else Refusal(404, "ACD group not found")

    def _all_campaigns(self, _asked: Asked) -> Outcome:
        return _list(self._campaigns.all(), "Name")

    def _one_campaign(self, number: int) -> Outcome:
        campaign = self._campaigns.get(number)
        return _NO_CAMPAIGN if campaign is None else _records([campaign])

    def _campaigns_like(self, asked: Asked) -> Outcome:
        name = asked.query.get("name")
        if not name:
            return Refusal(400, "Required parameter missing: name")
        found = self._campaigns.like(name)
        return _records(found) if found else _NO_CAMPAIGN

    def _result_codes(self, asked: Asked, campaign: str) -> Outcome:
        number, language = _number(campaign), _number(asked.query.get("languagesID", ""))
        if asked.method != "GET" or number is None:
            return NO_ENDPOINT
        if self._campaigns.get(number) is None:
            return _NO_CAMPAIGN
        if language not in LANGUAGES:
            return Refusal(400, "languagesID must be 1 or 2")
        return _list(self._campaigns.result_codes(language), "ID")

    def _clone(self, asked: Asked) -> Outcome:
        fields = _posted(asked)
        if isinstance(fields, Refusal):
            return fields
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            return Refusal(400, "The post data must be a JSON object of strings")
        if not fields.get("source") or not fields.get("destination"):
            return Refusal(400, "Required parameter missing: source and destination")
        source = self._campaigns.named(fields["source"])
        if source is None:
            return _NO_CAMPAIGN
        if self._campaigns.named(fields["destination"]) is not None or len(self._campaigns) >= MAX_CAMPAIGNS:
            return Refusal(409, "Destination campaign already exists")
        return _records([self._campaigns.add(fields["destination"], **_copied(source, fields))])

    def _delete_named(self, asked: Asked) -> Outcome:
        campaign = self._campaigns.named(asked.query.get("name", ""))
        return _NO_CAMPAIGN if campaign is None else self._delete(campaign["ID"])

    def _delete(self, number: int) -> Outcome:
        if self._campaigns.get(number) is None:
            return _NO_CAMPAIGN
        self._campaigns.remove(number)
        return b'{"status":200}'


_NO_CAMPAIGN: Final = Refusal(404, "Dialler campaign not found")


def admitted(path: str, authorization: str | None, settings: Settings) -> str | Refusal:
    """The path below the base URL, or why it may not pass; a wrong ClientsID looks like a bad token."""
    start, _, rest = path.removeprefix("/rest/v1.0/").partition("/")
    if not path.startswith("/rest/v1.0/") or not start.isdecimal():
        return NO_ENDPOINT
    if start != str(settings.clients_id) or authorization != f"Bearer {settings.token}":
        return UNAUTHORISED
    return f"/{rest}"


def _posted(asked: Asked) -> Any:
    if asked.content_type != "application/json":
        return Refusal(400, "Content-Type must be application/json")
    try:
        return orjson.loads(asked.body)
    except orjson.JSONDecodeError:
        return Refusal(400, "The post data is not valid JSON")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _copied(source: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in source.items() if name not in {"ID", "Name"}}
    return {**kept, "UserData": fields.get("userData")}


def _group(name: str, number: int) -> dict[str, Any]:
    return {
        "ID": number,
        "Name": name,
        "DistributionAlgorithmID": 1,
        "QueueMusicID4Sec": -1,
        "SupervisorAggregationSkill5ID": None,
        "bPositionAnnouncement3": False,
        "TarifAnnouncementWavesID": None,
    }


def _records(records: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"records": records, "count": len(records), "status": 200})


def _list(records: list[dict[str, Any]], order: str) -> bytes:
    return orjson.dumps(
        {
            "filter": "",
            "limitStart": 0,
            "limitPageSize": -1,
            "records": records,
            "count": len(records),
            "orderBy": order,
            "ascending": True,
            "status": 200,
        }
    )
