"""The ledger as a dict: what each write is to do to its items, said in plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.ledger.doubt import Doubt
from bridge.ledger.holding import RECENT_MS
from bridge.ledger.item import Claimed, NewItem, Settlement
from bridge.ledger.lanes import HISTORY, LIVE
from bridge.ledger.state import DROPPABLE, OPEN, RETRYABLE, ItemState

REMOVED_FOR_AGE = frozenset(
    {ItemState.CREATED, ItemState.UPDATED, ItemState.FILTERED, ItemState.DUPLICATE, ItemState.VANISHED}
)


@dataclass
class Row:
    """What the model knows of an item."""

    key: str
    order: int
    source: str
    conversation: str
    state: ItemState
    lane: int
    has_event: bool
    due_at: int
    accepted_at: int
    settled_at: int | None = None
    attempts: int = 0
    tries: int = 0
    event_id: int | None = None
    doubted: bool = False
    """Whether an attempt ended in doubt."""
    after_event: int | None = None
    """Of the last attempt: an event that was there before it."""

    def settle(self, state: ItemState, now: int) -> None:
        self.state = state
        self.settled_at = None if state in OPEN else now

    def reopen(self, now: int) -> None:
        self.state, self.due_at, self.accepted_at, self.settled_at = ItemState.PENDING, now, now, None

    def shown(self) -> tuple[object, ...]:
        """What is compared with the file."""
        times = (self.due_at, self.accepted_at, self.settled_at)
        return (
            self.key, self.conversation, self.state, self.lane, *times, self.attempts, self.tries, self.event_id
        )  # fmt: skip


class LedgerModel:
    """All items, in the order of their acceptance."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._accepted = 0

    def all(self) -> list[Row]:
        return list(self.rows.values())

    def of(self, *states: ItemState) -> Iterator[Row]:
        return (row for row in self.all() if row.state in states)

    def accept(self, items: Sequence[NewItem], now: int) -> None:
        for item in items:
            if item.key not in self.rows:
                self._add(item, now)
        self._hurry(items)

    def claim(self, limit: int, history: int, now: int) -> list[str]:
        """Their keys, oldest first."""
        due = [row for row in self.of(ItemState.PENDING) if row.due_at <= now and self._has_turn(row)]
        due.sort(key=lambda row: (row.due_at, row.order))
        live, old = ([row for row in due if row.lane == lane] for lane in (LIVE, HISTORY))
        newest = [row.event_id for row in self.of(ItemState.CREATED)][-1:]
        taken = [*live[:limit], *old[:history]][:limit]
        for row in taken:
            row.state, row.attempts = ItemState.SENDING, row.attempts + 1
            row.after_event = newest[0] if newest else None
        return [row.key for row in sorted(taken, key=lambda row: row.order)]

    def take_back(self, item: Claimed) -> None:
        row = self.rows[item.key]
        row.state, row.attempts = ItemState.PENDING, row.attempts - 1

    def settle(self, item: Claimed, settlement: Settlement, now: int, *, alone: bool) -> None:
        """`alone` where no other request is under way."""
        row = self.rows[item.key]
        found = alone and row.doubted and settlement.state is ItemState.UPDATED and settlement.says_the_same
        row.settle(ItemState.CREATED if found else settlement.state, now)
        row.doubted |= settlement.state is ItemState.UNCERTAIN
        row.due_at = settlement.due_at or now
        row.tries += settlement.counts
        row.event_id = settlement.acd_event_id or row.event_id

    def recover(self) -> int:
        """How many were being sent."""
        sending = list(self.of(ItemState.SENDING))
        for row in sending:
            row.state, row.doubted = ItemState.UNCERTAIN, True
        return len(sending)

    def standing(self, doubts: Sequence[Doubt]) -> list[Row]:
        """Those about which nothing was decided since they were read."""
        rows = [(one, self.rows[one.key]) for one in doubts if one.key in self.rows]
        return [row for one, row in rows if row.state is ItemState.UNCERTAIN and row.attempts == one.attempt]

    def found(self, row: Row, event_id: int, now: int) -> None:
        row.settle(ItemState.CREATED, now)
        row.event_id = event_id

    def again(self, row: Row, now: int) -> None:
        row.state, row.due_at, row.tries = ItemState.PENDING, now, row.tries + 1

    def retry(self, key: str, now: int) -> bool:
        row = self.rows[key]
        allowed = row.has_event and row.state in RETRYABLE
        if allowed:
            row.reopen(now)
            row.tries = 0
        return allowed

    def release(self, key: str, now: int) -> bool:
        row = self.rows[key]
        allowed = row.has_event and row.state is ItemState.HELD
        if allowed:
            row.reopen(now)
        return allowed

    def drop(self, key: str, now: int) -> bool:
        row = self.rows[key]
        allowed = row.state in DROPPABLE
        if allowed:
            row.settle(ItemState.FILTERED, now)
        return allowed

    def burst(self, source: str, now: int) -> None:
        for row in self.of(ItemState.PENDING):
            untried = not row.attempts and row.lane == LIVE
            if row.source == source and untried and row.accepted_at >= now - RECENT_MS:
                row.state = ItemState.HELD

    def forget(self, row: Row, now: int, *, drop_open: bool) -> None:
        if row.state in {ItemState.SENDING, ItemState.UNCERTAIN} or (row.state in OPEN and not drop_open):
            return
        if row.state in OPEN:
            row.settle(ItemState.FILTERED, now)
        row.conversation, row.has_event = f"forgotten {row.key}", False

    def remove_settled(self, before: int) -> int:
        """How many were removed."""
        gone = [row.key for row in self.of(*REMOVED_FOR_AGE) if (row.settled_at or before) < before]
        for key in gone:
            del self.rows[key]
        return len(gone)

    def _add(self, item: NewItem, now: int) -> None:
        self._accepted += 1
        self.rows[item.key] = Row(
            key=item.key,
            order=self._accepted,
            source=item.source,
            conversation=item.conversation,
            state=item.state,
            lane=item.lane,
            has_event=item.event is not None,
            due_at=now,
            accepted_at=now,
            settled_at=None if item.state in OPEN else now,
        )

    def _hurry(self, items: Sequence[NewItem]) -> None:
        """History before a live item of its conversation goes with it."""
        live = {item.conversation for item in items if item.lane == LIVE}
        for row in self.of(ItemState.PENDING):
            if row.conversation in live:
                row.lane = LIVE

    def _has_turn(self, row: Row) -> bool:
        earlier = (other for other in self.of(*OPEN) if other.order < row.order)
        return all(other.conversation != row.conversation for other in earlier)
