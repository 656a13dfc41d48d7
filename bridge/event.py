"""The event draft: an AcdEvent as a route makes it, before names of types and groups are resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """What is to be posted. Types and groups are IDs (int) or the ACD's names (str), resolved when posting.

    The meaning of each field is that of `POST /acd/events/create`; the group is given by `group`, or by
    `config_group` and `agent_group` together, never both ways.
    """

    type: int | str
    sender: str
    subject: str
    group: int | str | None = None
    config_group: int | None = None
    agent_group: int | None = None
    user: int | None = None
    receiver: str | None = None
    body: str | None = None
    crm_url: str | None = None
    user_data: str | None = None
    priority: int | None = None
    """0 to 200; the ACD takes 50 where it is absent."""
    appointment_date: str | None = None
    """yyyy-mm-dd; always given together with the time, so that a late retry does not move it to another day."""
    appointment_time: str | None = None
    """hh:mm."""

    def as_dict(self) -> dict[str, Any]:
        """The fields that are given, for storing and showing."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The draft of what `as_dict` gave."""
        return cls(**values)


FIELDS = tuple(one.name for one in fields(EventDraft))
"""The names of all fields, in their order."""
