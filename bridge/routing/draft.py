"""The event of a route: compiled once, then made for each message that matches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from bridge.event import EventDraft
from bridge.routing import fields
from bridge.routing.appointment import appointment
from bridge.routing.fields import FieldError, Make, Notes
from bridge.routing.template import Values

CALLBACK = ("Callback", 3)
"""Name and ID of the only type that takes a body."""

MAKERS: Mapping[str, Make] = {
    "type": fields.name_or_id,
    "group": fields.name_or_id,
    "config_group": fields.number,
    "agent_group": fields.number,
    "user": fields.number,
    "sender": fields.sender,
    "receiver": fields.receiver,
    "subject": fields.subject,
    "body": fields.body,
    "crm_url": fields.crm_url,
    "user_data": fields.user_data,
    "priority": fields.priority,
}
"""How each field but the appointment gets its value."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A field that is made anew for each message."""

    name: str
    render: Callable[[Values], str]
    variables: frozenset[str]


class EventFieldError(Exception):
    """A field could not be made of this message; `cause` is a FieldError where its value is not valid."""

    def __init__(self, field: str, cause: Exception) -> None:
        super().__init__(field)
        self.field = field
        self.cause = cause


@dataclass(frozen=True, slots=True)
class EventMaker:
    """Makes the event of one route."""

    constants: Mapping[str, Any]
    """Fields that are the same for every message, as EventDraft takes them."""
    rendered: tuple[Rendered, ...]
    zone: tzinfo | None

    def make(self, values: Values) -> tuple[EventDraft, tuple[str, ...]]:
        """The event and what is to be said about it. Raises EventFieldError."""
        made, notes = dict(self.constants), list[str]()
        for one in self.rendered:
            try:
                made |= made_of(one.name, one.render(values).strip(), self.zone, notes)
            except Exception as error:
                raise EventFieldError(one.name, error) from error
        _hold_to_the_rules(made, notes)
        return EventDraft(**made), tuple(notes)

    def needs_text(self, values: Values) -> bool:
        """Whether a field looks into `text`, which the values have as not fetched."""
        return any(_fails(one.render, values) for one in self.rendered if "text" in one.variables)


def made_of(name: str, text: str, zone: tzinfo | None, notes: Notes) -> dict[str, Any]:
    """The draft's fields that this field of the route becomes. Raises FieldError."""
    if name != "appointment":
        return {name: MAKERS[name](text, notes)}
    moment = appointment(text, zone)
    return {} if moment is None else {"appointment_date": moment[0], "appointment_time": moment[1]}


def takes_body(event_type: int | str) -> bool:
    """Whether events of this type have a body."""
    return event_type in CALLBACK or event_type == f"AcdEventTypes.{CALLBACK[0]}"


def _hold_to_the_rules(made: dict[str, Any], notes: Notes) -> None:
    """Rules across fields, which a template may break that a constant cannot."""
    if made["type"] is None:
        raise EventFieldError("type", FieldError("is empty"))
    pair = "config_group" in made or "agent_group" in made
    for name in ("config_group", "agent_group") if pair else ("group",):
        if made.get(name) is None:
            raise EventFieldError(name, FieldError("is empty"))
    if made.get("body") is not None and not takes_body(made["type"]):
        made["body"] = None
        notes.append("body is left out: only the type Callback takes one")


def _fails(render: Callable[[Values], str], values: Values) -> bool:
    """Whether looking into the text that is not fetched stops it, whatever words it fails with."""
    try:
        render(values)
    except Exception:  # noqa: BLE001 - a filter may turn TextNeededError into an error of its own
        return True
    return False
