"""What is remembered of the last minutes, bounded, and what is held because of it.

Senders, conversations and rates are kept in memory, so that an ordinary message costs no look into the state
file. What must survive a restart is in the state file: the rates, and the loops that are going on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.config.flood import Flood
from bridge.flood import burst, loop
from bridge.flood.loop import Bucket
from bridge.ledger.holding import LoopNote, Memory
from bridge.ledger.item import NewItem
from bridge.ledger.state import ItemState
from bridge.reason import Reason

MOST_BUCKETS = 20_000
"""Senders and conversations that are remembered; the longest quiet ones are forgotten first."""
_SENDER = "sender "

Slots = list[int | None]
"""For each item of a batch the ten minutes it counts in; None where it does not count."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """How much a batch would add, before it is known whether all of it is new."""

    slots: Slots
    rates: Mapping[tuple[str, int], int]
    """How many by source and slot."""
    weights: Mapping[str, int]
    """How much to each bucket."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one batch: the items as they are to be stored, and what there is to say about them."""

    items: Sequence[NewItem]
    slots: Slots
    loops: Sequence[LoopNote] = ()
    bursts: Sequence[str] = ()
    """Sources whose burst began with this batch."""


@dataclass(slots=True)
class _Source:
    """The rates of one source by slot."""

    counts: dict[int, int] = field(default_factory=dict)
    newest: int | None = None
    bursting: int = -1
    """The slot in which a burst was last told of."""

    def add(self, slot: int, number: int) -> None:
        self.counts[slot] = self.counts.get(slot, 0) + number
        self.newest = slot if self.newest is None else max(self.newest, slot)


class FloodGuard:
    """Judges new items by those of the last minutes. Without any I/O; it is used by one task at a time.

    A batch is weighed first. Where it cannot cross any line, even if all of it is new, it is let through;
    otherwise it is judged, item by item, once it is known which items are new.
    """

    def __init__(self, settings: Flood, memory: Memory | None = None) -> None:
        self._settings = settings
        self._quiet = round(settings.quiet * 1000)
        self._buckets: dict[str, Bucket] = {}
        self._sources: dict[str, _Source] = {}
        if memory is not None:
            self._remember(memory)

    def weigh(self, items: Sequence[NewItem], now: int) -> Weighed:
        """How much the items would add."""
        slots: Slots = []
        rates: dict[tuple[str, int], int] = {}
        weights: dict[str, int] = {}
        for item in items:
            if item.state is not ItemState.PENDING:
                slots.append(None)
                continue
            slot = self._slot(item, now)
            slots.append(slot)
            rates[item.source, slot] = rates.get((item.source, slot), 0) + 1
            weight = _weight(item)
            for name in _names(item):
                weights[name] = weights.get(name, 0) + weight
        return Weighed(slots, rates, weights)

    def suspects(self, weighed: Weighed, now: int) -> bool:
        """Whether anything might be held, so that it is worth to ask which items are known already."""
        least = self._settings.burst_least
        return any(
            self._source(source).counts.get(slot, 0) + more > least
            for (source, slot), more in weighed.rates.items()
        ) or any(self._is_full(name, weight, now) for name, weight in weighed.weights.items())

    def let_through(self, items: Sequence[NewItem], weighed: Weighed, now: int) -> Judged:
        """Count a batch that nothing is suspected of."""
        for (source, slot), number in weighed.rates.items():
            self._source(source).add(slot, number)
        for name, weight in weighed.weights.items():
            self._buckets[name] = loop.filled(self._drained(name, now), weight, now)
        self._forget()
        return Judged(items, weighed.slots)

    def held_keys(self, weighed: Weighed) -> set[str]:
        """The held items that stand for loops which these items may belong to."""
        buckets = (self._buckets.get(name) for name in weighed.weights)
        return {bucket.held for bucket in buckets if bucket is not None and bucket.held}

    def free(self, released: Iterable[str]) -> None:
        """An operator let these held items go: what they stood for is no loop any more."""
        gone = set(released)
        for name, bucket in self._buckets.items():
            if bucket.held in gone:
                self._buckets[name] = Bucket()

    def judge(self, items: Sequence[NewItem], known: Collection[str], now: int) -> Judged:
        """The items, held or collapsed where they must be. Those of `known` keys are left as they are."""
        judged: list[NewItem] = []
        slots: Slots = []
        notes: dict[str, LoopNote] = {}
        for item in items:
            counts = item.state is ItemState.PENDING and item.key not in known
            slots.append(self._slot(item, now) if counts else None)
            after, note = self._loop(item, now) if counts else (item, None)
            judged.append(after)
            if note is not None:
                notes[note.name] = note
        held, bursts = self._burst(judged, slots)
        self._forget()
        return Judged(held, slots, list(notes.values()), bursts)

    def undo(self, items: Iterable[tuple[NewItem, int | None]]) -> None:
        """These items, each with its slot, were not stored, or had been before: they count for nothing."""
        for item, slot in items:
            if slot is None:
                continue
            counts = self._source(item.source).counts
            counts[slot] = max(0, counts.get(slot, 0) - 1)
            for name in _names(item):
                self._take_back(name, item)

    def _take_back(self, name: str, item: NewItem) -> None:
        bucket = self._buckets.get(name)
        if bucket is None:
            return
        if bucket.held == item.key:
            self._buckets[name] = Bucket()
        elif bucket.held:
            self._buckets[name] = bucket._replace(mails=max(1, bucket.mails - 1))
        else:
            self._buckets[name] = bucket._replace(level=max(0.0, bucket.level - _weight(item)))

    def _loop(self, item: NewItem, now: int) -> tuple[NewItem, LoopNote | None]:
        drained = {name: self._drained(name, now) for name in _names(item)}
        weight = _weight(item)
        for name, bucket in drained.items():
            if bucket.held or loop.crosses(bucket, weight, limit=self._limit(name)):
                after = loop.looping(bucket, item.key, now)
                self._buckets.update(drained | {name: after})
                return _of_loop(item, after), LoopNote(name, after.held, after.mails, now)
        self._buckets.update({name: loop.filled(bucket, weight, now) for name, bucket in drained.items()})
        return item, None

    def _burst(self, items: Sequence[NewItem], slots: Slots) -> tuple[list[NewItem], list[str]]:
        """Everything of a slot that holds too many is held, not only what is too many."""
        places = [(item.source, slot) for item, slot in zip(items, slots, strict=True)]
        for source, slot in places:
            if slot is not None:
                self._source(source).add(slot, 1)
        full = {
            (source, slot) for source, slot in set(places) if slot is not None and self._bursts(source, slot)
        }
        begun = {source for source, slot in sorted(full) if self._begins(source, slot)}
        return [
            replace(item, state=ItemState.HELD, reason=Reason.BURST)
            if place in full and item.state is ItemState.PENDING
            else item
            for item, place in zip(items, places, strict=True)
        ], sorted(begun)

    def _bursts(self, source: str, slot: int) -> bool:
        counts = self._source(source).counts
        if counts.get(slot, 0) <= self._settings.burst_least:
            return False
        return burst.is_burst(
            counts.get(slot, 0),
            burst.usual_hour(counts, before=slot),
            least=self._settings.burst_least,
            factor=self._settings.burst_factor,
        )

    def _begins(self, source: str, slot: int) -> bool:
        """Whether this slot's burst is a new one, and no going on of that of the slot before."""
        kept = self._source(source)
        begins = slot > kept.bursting + 1
        kept.bursting = max(kept.bursting, slot)
        return begins

    def _is_full(self, name: str, weight: int, now: int) -> bool:
        bucket = self._buckets.get(name)
        limit = self._limit(name)
        if bucket is None:
            return 0 < limit < weight
        after = loop.at(bucket, now, limit=limit, quiet=self._quiet)
        return bool(after.held) or loop.crosses(after, weight, limit=limit)

    def _drained(self, name: str, now: int) -> Bucket:
        """The bucket as it is now, taken out, so that it goes to the end of the line when it is put back."""
        bucket = self._buckets.pop(name, None)
        if bucket is None:
            return Bucket(0.0, now)
        return loop.at(bucket, now, limit=self._limit(name), quiet=self._quiet)

    def _limit(self, name: str) -> int:
        return self._settings.sender if name.startswith(_SENDER) else self._settings.conversation

    def _source(self, name: str) -> _Source:
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = _Source()
        return source

    def _slot(self, item: NewItem, now: int) -> int:
        return burst.slot_of(item.received_at, newest=self._source(item.source).newest, now=now)

    def _forget(self) -> None:
        while len(self._buckets) > MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        for kept in self._sources.values():
            while len(kept.counts) > burst.SLOTS_REMEMBERED:
                del kept.counts[min(kept.counts)]

    def _remember(self, memory: Memory) -> None:
        for source, slot, number in memory.rates:
            self._source(source).add(slot, number)
        for item, accepted_at in memory.recent:
            for name in _names(item):
                self._buckets[name] = loop.filled(
                    self._drained(name, accepted_at), _weight(item), accepted_at
                )
        for note in memory.loops:
            self._buckets[note.name] = Bucket(at=note.at, held=note.key, mails=note.mails)


def _names(item: NewItem) -> tuple[str, ...]:
    """The buckets of an item; a helpdesk's many words about a ticket are no loop."""
    if item.kind != "mail":
        return ()
    by_conversation = f"conversation {item.source}\0{item.conversation}"
    sender = item.message.get("sender")
    return (f"{_SENDER}{item.source}\0{sender.lower()}", by_conversation) if sender else (by_conversation,)


def _weight(item: NewItem) -> int:
    return loop.weight_of(automatic="auto" in item.message)


def _of_loop(item: NewItem, bucket: Bucket) -> NewItem:
    if bucket.held == item.key:
        return replace(item, state=ItemState.HELD, reason=Reason.SUSPECTED_LOOP)
    return replace(item, state=ItemState.DUPLICATE, reason=Reason.SUSPECTED_LOOP, detail=f"of {bucket.held}")
