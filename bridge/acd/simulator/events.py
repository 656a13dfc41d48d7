"""The events that the simulated ACD holds."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bridge.acd.simulator.settings import CLOSED, Settings

_WRITTEN_OUT: Final = (
    "AcdGroupsID",
    "AcdConfigurationGroupsID",
    "AcdAgentGroupsID",
    "UsersID",
    "Sender",
    "Receiver",
    "Subject",
    "Body",
    "CrmURL",
    "UserData",
    "dtAppointmentDate",
    "dtAppointmentTime",
    "SkillsValue1",
    "SkillsValue2",
    "ChatConnectorsID",
)
_DEFAULT_PRIORITY: Final = 50
_MAX_COMMENTS: Final = 20
Key = tuple[Any, ...]


@dataclass(slots=True)
class Event:
    """One event. Times are seconds since 1970."""

    number: int
    created: float
    modified: float
    fields: dict[str, Any]
    raw: bytes
    """The request that created it, as it came."""
    key: Key | None
    """What makes another event the same, in a group without duplicates."""
    comments: list[str] = field(default_factory=list)


class Events:
    """All events by ID, oldest first, and those by key that a new one may be a duplicate of."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._rules = {settings.groups[name]: fields for name, fields in settings.duplicates.items()}
        # Not a dict: taking its oldest entry gets slow once many were taken.
        self._by_number: OrderedDict[int, Event] = OrderedDict()
        self._by_key: dict[Key, int] = {}
        self._last_number = 1000
        self._last_created = 0.0

    def __len__(self) -> int:
        return len(self._by_number)

    def all(self) -> list[Event]:
        """Every event, ordered by its creation."""
        self._purge()
        return list(self._by_number.values())

    def get(self, number: int) -> Event | None:
        """One event."""
        self._purge()
        return self._by_number.get(number)

    def clear(self) -> None:
        """Forget all events; numbers go on."""
        self._by_number.clear()
        self._by_key.clear()

    def create(self, fields: dict[str, Any], raw: bytes) -> tuple[Event, bool]:
        """The event that was created, or the open one that it is a duplicate of, and whether it is that."""
        self._purge()
        key = self._key_of(fields)
        found = self._open_with(key) if key is not None else None
        if found is not None:
            self._comment(found, fields)
            return found, True
        self._last_number += 1
        # dtCreated orders the list, so it must not go back where the machine's clock does.
        self._last_created = max(self._clock(), self._last_created)
        event = Event(self._last_number, self._last_created, self._last_created, fields, raw, key)
        self._by_number[event.number] = event
        if key is not None:
            self._by_key[key] = event.number
        self._drop_oldest()
        return event, False

    def status(self, event: Event) -> int:
        """The event's AcdEventStatusID at this moment, by its age."""
        return self._step(event)[1]

    def view(self, event: Event, *, updated: bool = False) -> dict[str, Any]:
        """The event as the API shows it: nulls written out, `Result_` only where it was updated."""
        began, status = self._step(event)
        shown: dict[str, Any] = {
            "ID": event.number,
            "AcdEventTypesID": event.fields["AcdEventTypesID"],
            "AcdEventStatusID": status,
            **{name: event.fields.get(name) for name in _WRITTEN_OUT},
            "nPriority": event.fields.get("nPriority", _DEFAULT_PRIORITY),
            "Comment": "\n".join(event.comments) or None,
            "dtCreated": _written(event.created),
            "dtLastModified": _written(max(event.modified, event.created + began)),
            "ClientsID": self._settings.clients_id,
        }
        if updated:
            shown["Result_"] = "UPDATED"
        return shown

    def _step(self, event: Event) -> tuple[float, int]:
        age = self._clock() - event.created
        current = self._settings.schedule[0]
        for step in self._settings.schedule:
            if step[0] > age:
                break
            current = step
        return current

    def _key_of(self, fields: dict[str, Any]) -> Key | None:
        group = fields.get("AcdGroupsID")
        if group not in self._rules:
            return None
        named = self._rules[group]
        if named:
            return (group, *(fields.get(name) for name in named))
        data = fields.get("UserData")
        same = ("UserData", data) if data else ("Sender", fields["Sender"])
        return (group, fields["AcdEventTypesID"], *same)

    def _open_with(self, key: Key) -> Event | None:
        event = self._by_number.get(self._by_key.get(key, 0))
        return None if event is None or self.status(event) in CLOSED else event

    def _comment(self, event: Event, fields: dict[str, Any]) -> None:
        event.modified = max(self._clock(), event.modified)
        event.comments.append(f"{_written(event.modified)} {fields['Sender']}: {fields['Subject']}"[:500])
        del event.comments[:-_MAX_COMMENTS]

    def _purge(self) -> None:
        if self._settings.purge_after is None:
            return
        born_before = self._clock() - self._settings.purge_after
        while self._by_number and next(iter(self._by_number.values())).created <= born_before:
            self._remove_oldest()

    def _drop_oldest(self) -> None:
        """All events age alike, so the oldest is the first that is Done."""
        if len(self._by_number) > self._settings.max_events:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        _, oldest = self._by_number.popitem(last=False)
        if oldest.key is not None and self._by_key.get(oldest.key) == oldest.number:
            del self._by_key[oldest.key]


def _written(moment: float) -> str:
    """`2020-08-09T02:33:50.347`: the ACD's local time with milliseconds and without a zone."""
    return datetime.fromtimestamp(moment).isoformat(timespec="milliseconds")  # noqa: DTZ006 - the API names no zone
