"""What the simulated ACD is configured like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {"VoiceMail": 1, "Fax": 2, "Callback": 3, "SMS": 4, "Email": 5, "Chat": 6, "Ticket": 7}
)
"""The IDs up to Email are the vendor's; those of Chat and Ticket are ours and must be resolved by name."""

STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "EnterSystem": 0,
        "Distribute": 1,
        "TransportSMTP": 2,
        "TransportToGroup": 4,
        "TransportAgent": 10,
        "New": 20,
        "Seen": 30,
        "Remind": 40,
        "ChatClosed": 98,
        "Done": 99,
        "Error": 100,
    }
)
CLOSED: Final = frozenset({STATUSES["Done"], STATUSES["Error"]})

GROUPS: Final[Mapping[str, int]] = MappingProxyType(
    {"Billing": 102, "Sales": 103, "Support": 101, "Support 2nd level": 104}
)

SCHEDULE: Final = (
    (0.0, STATUSES["EnterSystem"]),
    (0.5, STATUSES["Distribute"]),
    (1.0, STATUSES["TransportToGroup"]),
    (2.0, STATUSES["New"]),
    (60.0, STATUSES["Seen"]),
    (600.0, STATUSES["Done"]),
)
"""From how many seconds of age an event has which state."""

DUPLICATES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"Billing": ()})

MATCHABLE: Final = frozenset(
    {"AcdEventTypesID", "UsersID", "Sender", "Receiver", "Subject", "CrmURL", "UserData"}
)
"""Fields that may make two events of a group the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the simulated ACD is set up. Times are in seconds."""

    token: str = "simulator"  # noqa: S105 - the default of a fake, not a secret
    clients_id: int = 1
    types: Mapping[str, int] = field(default_factory=lambda: TYPES)
    groups: Mapping[str, int] = field(default_factory=lambda: GROUPS)
    config_groups: frozenset[int] = frozenset({11, 12})
    agent_groups: frozenset[int] = frozenset({21, 22})
    users: frozenset[int] = frozenset({31, 32, 33})
    duplicates: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DUPLICATES)
    """Groups that make no duplicate events, with the fields by which events are the same. No fields: type and
    UserData, or type and Sender where UserData is empty."""
    schedule: tuple[tuple[float, int], ...] = SCHEDULE
    campaigns: tuple[str, ...] = ("Campaign 1000", "Winback")
    max_events: int = 200_000
    """Beyond this many events the oldest is dropped."""
    purge_after: float | None = None
    """An event of this age is purged: neither the list nor its ID leads to it any more."""
    seed: int = 1
    """Of the dice of faults that come with a probability."""
