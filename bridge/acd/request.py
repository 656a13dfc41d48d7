"""The request to create an AcdEvent, and what the ACD's documentation says about its fields."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from bridge.acd import rules
from bridge.acd.phone import e164

PHONE_TYPES: Final = frozenset({"VoiceMail", "Callback"})
"""Types whose Sender and Receiver are telephone numbers in E.164."""
BODY_TYPES: Final = frozenset({"Callback"})
"""Types that take a Body."""

ACD_NAMES: Final[dict[str, str]] = {
    "type": "AcdEventTypesID",
    "group": "AcdGroupsID",
    "config_group": "AcdConfigurationGroupsID",
    "agent_group": "AcdAgentGroupsID",
    "user": "UsersID",
    "sender": "Sender",
    "receiver": "Receiver",
    "subject": "Subject",
    "body": "Body",
    "crm_url": "CrmURL",
    "user_data": "UserData",
    "priority": "nPriority",
    "appointment_date": "dtAppointmentDate",
    "appointment_time": "dtAppointmentTime",
}
"""The ACD's name of each field."""
_NEEDED = frozenset({"sender", "subject"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """The fields of `POST /acd/events/create`; None is left out. The names are those of the event draft.

    The group is `group`, or `config_group` and `agent_group` together. Nothing is checked here: see
    `problems_of`.
    """

    type: int
    sender: str
    subject: str
    group: int | None = None
    config_group: int | None = None
    agent_group: int | None = None
    user: int | None = None
    receiver: str | None = None
    body: str | None = None
    crm_url: str | None = None
    user_data: str | None = None
    priority: int | None = None
    appointment_date: str | None = None
    appointment_time: str | None = None

    def to_fields(self) -> dict[str, Any]:
        """The fields that are given, under the ACD's names."""
        return {name: value for key, name in ACD_NAMES.items() if (value := getattr(self, key)) is not None}

    def to_json(self) -> bytes:
        """The request's body. Raises TypeError where a text is no Unicode (a lone surrogate)."""
        return orjson.dumps(self.to_fields())


def problems_of(request: CreateRequest, *, type_name: str | None) -> list[str]:
    """Why the ACD would refuse this request, as far as its documentation says; empty where nothing is wrong.

    `type_name` is the name of the event's type without prefix, or None where it is not known; the rules for
    one type only are then left to the ACD. The problems name fields as the ACD does and quote no text.
    """
    return [*_problems_of_ids(request), *_problems_of_texts(request), *_problems_of_type(request, type_name)]


def normalised(request: CreateRequest, *, type_name: str | None, plus: bool = False) -> CreateRequest:
    """The request with its telephone numbers in E.164, where its type wants them and they can be read.

    `plus` is the setting `acd.phone_plus`. What cannot be read stays as it is, for `problems_of` to name.
    """
    if type_name not in PHONE_TYPES:
        return request
    receiver = None if request.receiver is None else e164(request.receiver, plus=plus) or request.receiver
    return replace(request, sender=e164(request.sender, plus=plus) or request.sender, receiver=receiver)


def _problems_of_ids(request: CreateRequest) -> Iterator[str]:
    for key in ("type", "group", "config_group", "agent_group", "user"):
        value = getattr(request, key)
        if value is not None or key == "type":
            yield from rules.id_problems(ACD_NAMES[key], value)
    yield from rules.group_problems(request.group, request.config_group, request.agent_group)
    if request.priority is not None:
        yield from rules.priority_problems(request.priority)


def _problems_of_texts(request: CreateRequest) -> Iterator[str]:
    for key, bound in rules.LONGEST.items():
        value = getattr(request, key)
        if value is not None or key in _NEEDED:
            yield from rules.text_problems(ACD_NAMES[key], value, bound, needed=key in _NEEDED)
    yield from rules.url_problems(request.crm_url)
    yield from rules.date_problems(request.appointment_date)
    yield from rules.time_problems(request.appointment_time)


def _problems_of_type(request: CreateRequest, type_name: str | None) -> Iterator[str]:
    if type_name is None:
        return
    if request.body is not None and type_name not in BODY_TYPES:
        yield f"Body is only for the type Callback, not for {type_name}"
    if type_name not in PHONE_TYPES:
        return
    for name, value in (("Sender", request.sender), ("Receiver", request.receiver)):
        if isinstance(value, str) and value and e164(value) is None:
            yield f"{name} of a {type_name} event must be a telephone number in E.164"
