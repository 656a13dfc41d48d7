"""The ledger against a model of dicts: whatever is done in whatever order, both say the same, and the file is whole."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.ledger import doubt as doubting
from bridge.ledger import holding, mail_actions, operating, outbox
from bridge.ledger.accepting import accept
from bridge.ledger.backup import back_up
from bridge.ledger.doubt import Doubt, Found
from bridge.ledger.file import open_for_reading, open_for_writing
from bridge.ledger.item import Claimed, NewItem, Settlement
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import OPEN, ItemState
from bridge.ledger.verify import violations
from tests.unit.ledger.ledger_model import LedgerModel
from tests.unit.ledger.making import DRAFT, created, dead, forget, later, new_item, uncertain, updated

T = TypeVar("T")

CONVERSATIONS = ("one", "two", "three", "four", "five")
SOURCES = ("support", "sales")
MOST_SEEN = 10


@dataclass(frozen=True)
class Batch:
    """New items that are stored together, one for each named conversation."""

    conversations: list[str]
    state: ItemState
    lane: int
    kind: str
    source: str


BATCHES = st.builds(
    Batch,
    st.lists(st.sampled_from(CONVERSATIONS), min_size=1, max_size=5),
    st.sampled_from([*[ItemState.PENDING] * 6, ItemState.HELD, ItemState.FILTERED, ItemState.QUARANTINED]),
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["mail", "ticket"]),
    st.sampled_from(SOURCES),
)


class LedgerMachine(RuleBasedStateMachine):
    """Items come, are posted, doubted, decided about and removed; the service crashes between and within writes."""

    def __init__(self) -> None:
        super().__init__()
        self.place = TemporaryDirectory(dir=_quick_disk())
        self.path = Path(self.place.name) / "state.db"
        self.model = LedgerModel()
        self.now = 1_000_000
        self.events = 0
        self.names = 0
        self.under_way: list[Claimed] = []
        self.seen: list[Doubt] = []
        """Doubts as they were read some time ago."""

    @initialize(batches=st.lists(BATCHES, min_size=2, max_size=4))
    def open(self, batches: list[Batch]) -> None:
        """The first start, with something to do."""
        self._open()
        self._write(partial(mail_actions.set_sources, sources=SOURCES, now=self.now))
        for batch in batches:
            self._come(batch)

    @rule(batches=st.lists(BATCHES, min_size=1, max_size=3))
    def come(self, batches: list[Batch]) -> None:
        """New items; those of a batch are stored together."""
        for batch in batches:
            self._come(batch)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), lane=st.sampled_from([0, 1]))
    def come_again(self, data: st.DataObject, lane: int) -> None:
        """The same message is found at another place, or delivered once more."""
        row = data.draw(st.sampled_from(self.model.all()))
        item = replace(self._made(row.conversation, ItemState.PENDING, lane, "mail", row.source), key=row.key)
        (stored,) = self._write(partial(accept, items=[item], cursor=None, now=self.now))
        assert (stored.new, stored.state) == (False, row.state)
        self.model.accept([item], self.now)

    @rule(
        data=st.data(),
        rounds=st.integers(1, 4),
        limit=st.integers(1, 4),
        history=st.sampled_from([None, 0, 1]),
    )
    def deliver(self, data: st.DataObject, rounds: int, limit: int, history: int | None) -> None:
        """The delivery goes on for some turns."""
        for _ in range(rounds):
            self._turn(data, limit, history)

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        """The service ends in good order: nothing more is claimed."""
        self._turn(data, 0, None)

    @rule(limit=st.integers(1, 4), restart=st.booleans())
    def crash(self, limit: int, *, restart: bool) -> None:
        """A transaction breaks off and leaves nothing; where the process died, what was being sent is uncertain."""
        self.conn.execute("BEGIN IMMEDIATE")
        outbox.turn(self.conn, [], limit, self.now)
        if restart:
            self.conn.close()
            self._open()
            self._recover()
        else:
            self.conn.execute("ROLLBACK")

    @rule(data=st.data())
    def reconcile(self, data: st.DataObject) -> None:
        """The ACD's list was read: some events are there, some are not, some doubts are too young."""
        doubts = doubting.doubts(self.conn)
        expected = [(row.key, row.attempts, row.after_event) for row in self.model.of(ItemState.UNCERTAIN)]
        assert [(one.key, one.attempt, one.after_event) for one in doubts] == expected
        self.seen = [*doubts, *self.seen[:MOST_SEEN]]
        fates = [data.draw(st.sampled_from(["found", "again", "hold", "wait"])) for _ in doubts]
        pairs = list(zip(doubts, fates, strict=True))
        self._resolve([one for one, fate in pairs if fate == "found"], found=True)
        self._resolve([one for one, fate in pairs if fate == "again"], found=False)
        self._hold([one for one, fate in pairs if fate == "hold"])

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), found=st.booleans())
    def reconcile_late(self, data: st.DataObject, *, found: bool) -> None:
        """What was read of the list some time ago only counts where nobody has decided anything since."""
        self._resolve([data.draw(st.sampled_from(self.seen))], found=found)

    @rule(data=st.data())
    def try_all_again(self, data: st.DataObject) -> None:
        """An operator has no patience: whatever is in doubt is posted again, and perhaps in doubt again."""
        self._retry([row.key for row in self.model.of(ItemState.UNCERTAIN)])
        for _ in range(2):
            self._turn(data, 4, None)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), what=st.sampled_from(["retry", "release", "drop"]))
    def decide(self, data: st.DataObject, what: str) -> None:
        """An operator decides about some items."""
        rows = data.draw(st.lists(st.sampled_from(self.model.all()), min_size=1, max_size=3, unique_by=id))
        {"retry": self._retry, "release": self._release, "drop": self._drop}[what]([row.key for row in rows])

    @rule(source=st.sampled_from(SOURCES))
    def burst(self, source: str) -> None:
        """A burst: what its source sent and was never tried is held."""
        self._write(partial(holding.hold_waiting, sources=[source], now=self.now))
        self.model.burst(source, self.now)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), drop_open=st.booleans())
    def forget(self, data: st.DataObject, *, drop_open: bool) -> None:
        """A person is forgotten: the item stays, without a word of them."""
        row = data.draw(st.sampled_from([*self.model.of(*OPEN), *self.model.all()]))
        self._write(partial(forget, address=_address(row.key), now=self.now, drop_open=drop_open))
        self.model.forget(row, self.now, drop_open=drop_open)

    @rule(age=st.sampled_from([0, 5_000, 500_000]))
    def retain(self, age: int) -> None:
        """What was settled long ago is removed."""
        before = self.now - age
        removed = self._write(partial(remove_settled, before=before))
        assert removed == self.model.remove_settled(before)

    @rule(step=st.sampled_from([1_000, 1, 100_000, 1_000_000, -500]))
    def pass_time(self, step: int) -> None:
        """Time passes; sometimes the clock is set back."""
        self.now += step

    @rule()
    def back_up(self) -> None:
        """A copy that is made at any time is whole, and holds what was committed."""
        copy = self.path.with_name("copy.db")
        back_up(self.path, copy, replace=True)
        with closing(open_for_reading(copy)) as conn:
            assert violations(conn) == []
            assert _stored(conn) == _stored(self.conn)

    @invariant()
    def both_say_the_same(self) -> None:
        """Model and file agree about every item, and no invariant is broken."""
        if hasattr(self, "conn"):
            assert _stored(self.conn) == [row.shown() for row in self.model.all()]
            assert violations(self.conn) == []

    def teardown(self) -> None:
        """In the end all that is open can be brought to its end."""
        try:
            if hasattr(self, "conn"):
                self._bring_to_an_end()
        finally:
            if hasattr(self, "conn"):
                self.conn.close()
            self.place.cleanup()

    def _bring_to_an_end(self) -> None:
        self._recover()
        self.now += 10**9
        self._resolve(doubting.doubts(self.conn), found=False)
        self._release([row.key for row in self.model.of(ItemState.HELD)])
        while claimed := self._write(partial(outbox.turn, settled=[], limit=100, now=self.now)):
            settled = [(item, created(self._next_event())) for item in claimed]
            self._write(partial(outbox.turn, settled=settled, limit=0, now=self.now))
        left = self.conn.execute("SELECT key FROM items WHERE state IN ('pending', 'sending', 'uncertain')")
        assert left.fetchall() == []
        assert violations(self.conn) == []

    def _open(self) -> None:
        self.conn = open_for_writing(self.path)
        # The transactions are the same; what a power cut loses is tried elsewhere.
        self.conn.execute("PRAGMA synchronous = OFF")

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As the ledger's writer does it."""
        self.conn.execute("BEGIN IMMEDIATE")
        result = work(self.conn)
        self.conn.execute("COMMIT")
        return result

    def _come(self, batch: Batch) -> None:
        items = [
            self._made(conversation, batch.state, batch.lane, batch.kind, batch.source)
            for conversation in batch.conversations
        ]
        stored = self._write(partial(accept, items=items, cursor=None, now=self.now))
        assert [one.new for one in stored] == [True] * len(items)
        self.model.accept(items, self.now)

    def _made(self, conversation: str, state: ItemState, lane: int, kind: str, source: str) -> NewItem:
        self.names += 1
        key = f"k{self.names}"
        event = replace(DRAFT, sender=_address(key)) if state in OPEN else None
        place = f"INBOX/1/{self.names}" if kind == "mail" else f"delivery {self.names}"
        made = new_item(
            key, conversation=conversation, state=state, kind=kind, place=place, source=source, event=event
        )
        return replace(made, lane=lane, message={"sender": _address(key)})

    def _turn(self, data: st.DataObject, limit: int, history: int | None) -> None:
        """Some requests end, some that were never begun go back, and some items are claimed: one transaction."""
        fates = [data.draw(st.sampled_from([*["ended"] * 3, "back", "still"])) for _ in self.under_way]
        pairs = list(zip(self.under_way, fates, strict=True))
        ended, back, still = (
            [item for item, fate in pairs if fate == one] for one in ("ended", "back", "still")
        )
        settled = [(item, data.draw(self._answers())) for item in ended]
        work = partial(outbox.turn, settled=settled, limit=limit, now=self.now, history=history, back=back)
        claimed = self._write(work)
        for item, settlement in settled:
            self.model.settle(item, settlement, self.now, alone=not (still or back))
        for item in back:
            self.model.take_back(item)
        expected = self.model.claim(limit, limit if history is None else history, self.now)
        assert [item.key for item in claimed] == expected
        self.under_way = [*still, *claimed]

    def _answers(self) -> st.SearchStrategy[Settlement]:
        before = [row.event_id for row in self.model.all() if row.event_id is not None]
        return st.one_of(
            st.builds(lambda: created(self._next_event())),
            st.sampled_from([*before, 900_000]).map(updated),
            st.builds(lambda: replace(updated(self._next_event()), says_the_same=True)),
            st.sampled_from([0, 1_000, 90_000]).map(lambda wait: later(self.now + wait)),
            st.just(later(self.now, counts=False)),
            st.builds(dead),
            st.builds(uncertain),
            st.builds(uncertain),
        )

    def _next_event(self) -> int:
        self.events += 1
        return self.events

    def _recover(self) -> None:
        assert self._write(partial(outbox.recover, now=self.now)) == self.model.recover()
        self.under_way = []

    def _resolve(self, doubts: Sequence[Doubt], *, found: bool) -> None:
        events = {one.key: Found(doubt=one, acd_event_id=self._next_event()) for one in doubts}
        where, again = ([*events.values()], []) if found else ([], doubts)
        states = self._write(partial(doubting.resolve, found=where, again=again, now=self.now))
        standing = self.model.standing(doubts)
        assert set(states) == {row.key for row in standing}
        for row in standing:
            if found:
                self.model.found(row, events[row.key].acd_event_id, self.now)
            else:
                self.model.again(row, self.now)

    def _hold(self, doubts: Sequence[Doubt]) -> None:
        assert set(self._write(partial(doubting.hold, doubts=doubts))) == {one.key for one in doubts}
        for one in doubts:
            self.model.rows[one.key].state = ItemState.HELD

    def _retry(self, keys: Sequence[str]) -> None:
        decided = self._write(partial(operating.retry, keys=keys, now=self.now))
        assert decided == {key: self.model.retry(key, self.now) for key in keys}

    def _release(self, keys: Sequence[str]) -> None:
        decided = self._write(partial(operating.release, keys=keys, now=self.now))
        assert decided == {key: self.model.release(key, self.now) for key in keys}

    def _drop(self, keys: Sequence[str]) -> None:
        decided = self._write(partial(operating.drop, keys=keys, why="nobody wants it", now=self.now))
        assert decided == {key: self.model.drop(key, self.now) for key in keys}


def _stored(conn: sqlite3.Connection) -> list[tuple[object, ...]]:
    rows = conn.execute(
        "SELECT key, conversation, state, lane, due_at, accepted_at, settled_at, attempts, tries, acd_event_id "
        "FROM items ORDER BY id"
    )
    return [tuple(row) for row in rows.fetchall()]


def _address(key: str) -> str:
    return f"{key}-of@example.org"


def _quick_disk() -> str | None:
    """A file system in memory, where there is one."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


LedgerMachine.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLedger = LedgerMachine.TestCase
