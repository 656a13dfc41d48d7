"""Items as values: before they are stored, as they are stored, and what was tried with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.event import EventDraft
from bridge.ledger.state import ItemState
from bridge.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SameCase:
    """Which other sources bring the same cases as an item's own one."""

    sources: frozenset[str]
    within: int
    """How far apart two messages of one case may be, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be stored. Times are milliseconds since 1970 in UTC."""

    key: str
    source: str
    kind: str
    place: str
    conversation: str
    state: ItemState
    received_at: int
    message: Mapping[str, Any]
    """What an operator needs to recognise it; plain JSON."""
    reason: Reason = Reason.NONE
    detail: str = ""
    route: str | None = None
    event: EventDraft | None = None
    raw: bytes | None = None
    letter: str = ""
    """What the copies of a mail share that have one event together; see `bridge.ledger.letters`."""
    lane: int = 0
    """0 for live mail and tickets, 1 for history; see `bridge.ledger.lanes`."""
    same_case: SameCase | None = None
    """None where no other source is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a NewItem: its state on disk and why, and whether it was new."""

    key: str
    state: ItemState
    new: bool
    reason: Reason = Reason.NONE
    """Of a new one: why it is in this state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An item whose attempt is on disk, so that its request may be sent."""

    id: int
    key: str
    source: str
    conversation: str
    attempt: int
    lane: int = 0
    tries: int
    """Attempts before this one that count for the waiting time."""
    accepted_at: int
    event: EventDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is to be written about an attempt that ended."""

    state: ItemState
    """The item's new state; PENDING for another try at `due_at`."""
    outcome: str
    """The meaning of the answer, in the words of bridge.acd.answer.Meaning."""
    reason: Reason = Reason.NONE
    words: str = ""
    http_status: int | None = None
    acd_event_id: int | None = None
    due_at: int = 0
    counts: bool = True
    """Whether the attempt counts for the next waiting time; not where nobody's event can pass."""
    says_the_same: bool = False
    """UPDATED: whether the event says what the item says, so that an attempt in doubt may have made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to post an item's event."""

    number: int
    started_at: int
    ended_at: int | None
    outcome: str | None
    reason: str | None
    http_status: int | None
    words: str | None
    acd_event_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item as it stands in the state file."""

    id: int
    key: str
    source: str
    kind: str
    place: str
    conversation: str
    state: ItemState
    reason: str
    detail: str
    route: str | None
    tries: int
    received_at: int
    accepted_at: int
    due_at: int
    settled_at: int | None
    acd_event_id: int | None
    event: Mapping[str, Any] | None
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """Which items a command is about. All given conditions must hold."""

    states: frozenset[ItemState] = frozenset()
    source: str | None = None
    reason: str | None = None
    sender: str | None = None
    """The sender's address, whatever its case."""
    ticket: str | None = None
    since: int | None = None
    """Accepted at this time or later; milliseconds since 1970."""
    until: int | None = None
    """Accepted before this time."""
    with_event: bool = False
    """Only items that have an event, which can be posted."""
    limit: int = 100
