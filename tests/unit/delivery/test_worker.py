import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.delivery.clocks import Clocks, SetBack
from bridge.delivery.gate import SLOW_PROBE_SECONDS
from bridge.delivery.retry import Patience
from bridge.delivery.worker import DeliveryWorker
from bridge.errors import StateFileError, StateFileGoneError
from bridge.event import EventDraft
from bridge.ledger import queries
from bridge.ledger.item import Claimed, NewItem, Settlement
from bridge.ledger.ledger import Ledger
from bridge.ledger.state import ItemState
from bridge.ledger.visit import look
from bridge.reason import Reason
from tests.wait import until

CREATED = Answer(meaning=Meaning.CREATED, event_id=1, status=200)
LATER = Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED, status=503)
UNAUTHORISED = Answer(meaning=Meaning.UNAUTHORISED, reason=Reason.ACD_UNAUTHORISED, status=401)
UNCERTAIN = Answer(meaning=Meaning.UNCERTAIN, reason=Reason.TIMED_OUT)


class Time:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ahead = 0.0
        """Seconds by which the wall clock is wrong."""

    def clocks(self) -> Clocks:
        return Clocks(wall=lambda: self.now + self.ahead, monotonic=lambda: self.now, chance=lambda: 1.0)


class Poster:
    """Answers by subject from a script, and remembers what was posted and how much at once."""

    def __init__(self, script: Callable[[str], Answer] = lambda _: CREATED) -> None:
        self.script = script
        self.posted: list[str] = []
        self.under_way = 0
        self.most_under_way = 0
        self.open = asyncio.Event()
        self.open.set()

    async def post(self, draft: EventDraft) -> Answer:
        self.posted.append(draft.subject)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            return self.script(draft.subject)
        finally:
            self.under_way -= 1


@asynccontextmanager
async def working(
    path: Path, poster: Poster, time: Time, *, concurrency: int = 4
) -> AsyncIterator[tuple[Ledger, DeliveryWorker]]:
    ledger = await Ledger.open(path)
    worker = DeliveryWorker(
        ledger,
        poster,  # type: ignore[arg-type] # only `post` is used
        concurrency=concurrency,
        patience=Patience(first=1, cap=300, give_up_after=10_000),
        clocks=time.clocks(),
    )
    task = asyncio.create_task(worker.run())
    try:
        yield ledger, worker
    finally:
        await worker.stop(1)
        await task
        await ledger.close()


async def accept(ledger: Ledger, *subjects: str, conversation: str = "", now: float = 1000.0) -> None:
    items = [
        NewItem(
            key=subject,
            source="support",
            kind="mail",
            place=subject,
            conversation=conversation or subject,
            state=ItemState.PENDING,
            received_at=1,
            message={},
            event=EventDraft(type=7, group=12, sender="a@b.c", subject=subject),
        )
        for subject in subjects
    ]
    await ledger.accept(items, None, now=round(now * 1000))


def settled(ledger: Ledger, state: str, number: int) -> Callable[[], object]:
    async def holds() -> bool:
        return (await ledger.totals())[state] == number

    return holds


async def test_everything_due_is_posted_within_the_concurrency(tmp_path: Path) -> None:
    """All items become events; never more requests at once than allowed, and in fact as many."""
    poster, time = Poster(), Time()
    poster.open.clear()
    async with working(tmp_path / "state.db", poster, time, concurrency=3) as (ledger, worker):
        await accept(ledger, *"abcdefgh")
        worker.knock()
        await until(lambda: poster.under_way == 3)
        poster.open.set()
        await until(settled(ledger, "created", 8))
    assert poster.most_under_way == 3
    assert sorted(poster.posted) == list("abcdefgh")


async def test_a_conversation_is_posted_in_order_even_when_one_has_to_wait(tmp_path: Path) -> None:
    """A message whose first try fails is posted again before the next of its conversation."""
    failed = False

    def fail_once(subject: str) -> Answer:
        nonlocal failed
        if subject == "a" and not failed:
            failed = True
            return LATER
        return CREATED

    poster, time = Poster(fail_once), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, *"abc", conversation="one")
        worker.knock()
        await until(lambda: failed)
        time.now += 10
        worker.knock()
        await until(settled(ledger, "created", 3))
    assert poster.posted == ["a", "a", "b", "c"]


async def test_a_wrong_token_pauses_everything_with_one_probe_at_a_time(tmp_path: Path) -> None:
    """After a 401 nothing is posted until the probe's time; the probe's success lets all go."""
    poster, time = Poster(lambda _: UNAUTHORISED), Time()
    async with working(tmp_path / "state.db", poster, time, concurrency=1) as (ledger, worker):
        await accept(ledger, *"abc")
        worker.knock()
        await until(lambda: worker.paused)
        assert worker.paused == Reason.ACD_UNAUTHORISED
        assert poster.posted == ["a"]
        poster.script = lambda _: CREATED
        time.now += SLOW_PROBE_SECONDS
        worker.knock()
        await until(settled(ledger, "created", 3))
        assert worker.paused is None


async def test_an_uncertain_outcome_is_held_and_not_posted_again(tmp_path: Path) -> None:
    """Where the event may exist, the item waits, and nothing of its conversation overtakes it."""
    poster, time = Poster(lambda _: UNCERTAIN), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, *"ab", conversation="one")
        worker.knock()
        await until(settled(ledger, "uncertain", 1))
        time.now += 100_000
        worker.knock()
        await until(lambda: worker.ticked_at == time.now)
        assert poster.posted == ["a"]


async def test_an_answer_is_kept_until_the_state_file_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk after a successful post must not make the answer forgotten, nor the event posted again."""
    monkeypatch.setattr("bridge.delivery.worker.STATE_FILE_PAUSE_SECONDS", 0)
    poster, time = Poster(), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        real, failures = ledger.turn, 0

        async def failing(
            settled: Sequence[tuple[Claimed, Settlement]], limit: int, **others: Any
        ) -> list[Claimed]:
            nonlocal failures
            if settled and failures < 3:
                failures += 1
                raise StateFileError("the disk is full")
            return await real(settled, limit, **others)

        monkeypatch.setattr(ledger, "turn", failing)
        await accept(ledger, "a")
        worker.knock()
        await until(settled(ledger, "created", 1))
    assert failures == 3
    assert poster.posted == ["a"]


async def test_a_turn_that_is_on_disk_although_it_failed_leaves_nothing_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit's answer was lost: what was claimed is claimed again, what was settled is settled once."""
    monkeypatch.setattr("bridge.delivery.worker.STATE_FILE_PAUSE_SECONDS", 0)
    poster, time = Poster(), Time()
    path = tmp_path / "state.db"
    async with working(path, poster, time, concurrency=1) as (ledger, worker):
        real, lost = ledger.turn, 0

        async def losing(*args: Any, **others: Any) -> list[Claimed]:
            nonlocal lost
            claimed = await real(*args, **others)
            if lost < 4 and (claimed or args[0]):
                lost += 1
                raise StateFileError("the disk failed")
            return claimed

        monkeypatch.setattr(ledger, "turn", losing)
        await accept(ledger, *"abc")
        worker.knock()
        await until(settled(ledger, "created", 3))
    assert lost == 4
    assert poster.posted == ["a", "b", "c"]
    assert [attempts_of(path, key) for key in "abc"] == [("created", 1)] * 3


async def test_what_was_handed_back_by_a_turn_that_failed_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate shuts, what is claimed ahead is handed back, the commit's answer is lost, and the gate opens again.

    What may not be claimed any more has no attempt on disk: posted, it would be claimed and posted once more.
    """
    monkeypatch.setattr("bridge.delivery.worker.STATE_FILE_PAUSE_SECONDS", 0)
    path, time, door = tmp_path / "state.db", Time(), asyncio.Event()
    answers = iter([UNAUTHORISED])

    class OneWaits(Poster):
        async def post(self, draft: EventDraft) -> Answer:
            self.posted.append(draft.subject)
            if draft.subject == "b":
                await door.wait()
            return next(answers, CREATED) if draft.subject == "a" else CREATED

    poster = OneWaits()
    async with working(path, poster, time, concurrency=2) as (ledger, worker):
        real, lost = ledger.turn, 0

        async def losing(*args: Any, **others: Any) -> list[Claimed]:
            nonlocal lost
            claimed = await real(*args, **others)
            if others["back"] and not lost:
                lost += 1
                door.set()
                await until(lambda: not worker._under_way)
                raise StateFileError("the disk failed")
            return claimed

        monkeypatch.setattr(ledger, "turn", losing)
        await accept(ledger, *"abcde")
        worker.knock()
        await until(settled(ledger, "created", 5))
    assert lost == 1
    assert sorted(poster.posted) == sorted("abcde" + "a")
    assert [attempts_of(path, key) for key in "bcde"] == [("created", 1)] * 4


def attempts_of(path: Path, key: str) -> tuple[str, int]:
    """The item's state, and how many attempts the state file knows of it."""
    item = look(path, partial(queries.item, key=key))
    return item.state, len(look(path, partial(queries.attempts, item_id=item.id)))


async def test_what_is_claimed_ahead_is_begun_while_the_state_file_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that becomes free does not wait for a commit: the next item's attempt is on disk already."""
    poster, time = Poster(), Time()
    poster.open.clear()
    async with working(tmp_path / "state.db", poster, time, concurrency=1) as (ledger, worker):
        await accept(ledger, *"abc")
        worker.knock()
        await until(lambda: poster.posted == ["a"])
        real, busy = ledger.turn, asyncio.Event()

        async def slow(*args: Any, **others: Any) -> list[Claimed]:
            await busy.wait()
            return await real(*args, **others)

        monkeypatch.setattr(ledger, "turn", slow)
        poster.open.set()
        try:
            await until(lambda: poster.posted == ["a", "b", "c"])
        finally:
            busy.set()
        await until(settled(ledger, "created", 3))
    assert poster.most_under_way == 1


async def test_what_was_claimed_ahead_is_taken_back_at_the_stop(tmp_path: Path) -> None:
    """What was never sent is no doubt at the next start: it is pending, as if it had not been claimed."""
    poster, time = Poster(), Time()
    poster.open.clear()
    path = tmp_path / "state.db"
    async with working(path, poster, time, concurrency=1) as (ledger, worker):
        await accept(ledger, *"ab")
        worker.knock()
        await until(lambda: poster.posted == ["a"])
        await until(settled(ledger, "sending", 2))
        stopping = asyncio.create_task(worker.stop(5))
        await until(settled(ledger, "sending", 1))
        assert attempts_of(path, "b") == ("pending", 0)
        poster.open.set()
        await stopping
        assert await ledger.totals() | {"created": 1, "pending": 1} == await ledger.totals()
    assert poster.posted == ["a"]


async def test_what_was_claimed_ahead_is_taken_back_when_the_gate_shuts(tmp_path: Path) -> None:
    """While nobody passes, items wait in the state file; a crash in that time leaves nothing in doubt."""
    poster, time = Poster(lambda _: UNAUTHORISED), Time()
    poster.open.clear()
    path = tmp_path / "state.db"
    async with working(path, poster, time, concurrency=1) as (ledger, worker):
        await accept(ledger, *"ab")
        worker.knock()
        await until(settled(ledger, "sending", 2))
        poster.open.set()
        await until(settled(ledger, "pending", 2))
        assert attempts_of(path, "b") == ("pending", 0)
        assert worker.paused
        poster.script = lambda _: CREATED
        time.now += SLOW_PROBE_SECONDS + 1
        worker.knock()
        await until(settled(ledger, "created", 2))
    assert poster.posted == ["a", "a", "b"]


async def test_stopping_lets_requests_under_way_end(tmp_path: Path) -> None:
    """What was posted is settled before the stop is over, and nothing new is begun."""
    poster, time = Poster(), Time()
    poster.open.clear()
    async with working(tmp_path / "state.db", poster, time, concurrency=1) as (ledger, worker):
        await accept(ledger, *"ab")
        worker.knock()
        await until(lambda: poster.under_way == 1)
        stopping = asyncio.create_task(worker.stop(5))
        poster.open.set()
        await stopping
        totals = await ledger.totals()
    assert (totals["created"], totals["pending"]) == (1, 1)
    assert poster.posted == ["a"]


async def test_a_request_that_outlives_the_stop_is_uncertain_afterwards(tmp_path: Path) -> None:
    """An answer that never came is not taken for a failure: the next start knows that the event may exist."""
    poster, time = Poster(), Time()
    poster.open.clear()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, "a")
        worker.knock()
        await until(lambda: poster.under_way == 1)
        await worker.stop(0)
    async with working(tmp_path / "state.db", Poster(), time) as (ledger, worker):
        await until(settled(ledger, "uncertain", 1))


async def test_a_defect_while_posting_is_uncertain_and_stops_nobody(tmp_path: Path) -> None:
    """An exception that nobody foresaw may have come after sending; the other items go on."""

    def crash(subject: str) -> Answer:
        if subject == "a":
            raise RuntimeError("a defect")
        return CREATED

    poster, time = Poster(crash), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, *"ab")
        worker.knock()
        await until(settled(ledger, "created", 1))
        await until(settled(ledger, "uncertain", 1))


async def test_a_delivery_that_is_cancelled_is_uncertain_and_not_forgotten(tmp_path: Path) -> None:
    """Something that was waited for was cancelled, and the task with it: nobody may wait for its answer for ever."""

    def cancelled(subject: str) -> Answer:
        if subject == "a":
            raise asyncio.CancelledError
        return CREATED

    poster, time = Poster(cancelled), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, *"ab")
        worker.knock()
        await until(settled(ledger, "created", 1))
        await until(settled(ledger, "uncertain", 1))


async def test_a_defect_after_posting_is_uncertain_and_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception between the answer and its writing down leaves no item `sending` for ever."""
    monkeypatch.setattr("bridge.delivery.worker.after", lambda *_, **__: 1 / 0)
    poster, time = Poster(), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, "a")
        worker.knock()
        await until(settled(ledger, "uncertain", 1))
    assert poster.posted == ["a"]


async def test_a_disk_that_is_full_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is known what was under way at the last end, nothing is posted; then everything is."""
    monkeypatch.setattr("bridge.delivery.worker.STATE_FILE_PAUSE_SECONDS", 0)
    failures = 0
    real = Ledger.recover

    async def failing(self: Ledger, *, now: int) -> int:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise StateFileError("the disk is full")
        return await real(self, now=now)

    monkeypatch.setattr(Ledger, "recover", failing)
    poster, time = Poster(), Time()
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, "a")
        worker.knock()
        await until(settled(ledger, "created", 1))
    assert failures == 3


async def test_a_state_file_that_is_gone_ends_the_worker_and_a_stop_does_not_wait(tmp_path: Path) -> None:
    """The service must end and say so, rather than go on into a file that nobody will find."""
    path = tmp_path / "state.db"
    ledger = await Ledger.open(path)
    worker = DeliveryWorker(
        ledger,
        Poster(),  # type: ignore[arg-type] # only `post` is used
        concurrency=1,
        patience=Patience(first=1, cap=300, give_up_after=10_000),
        clocks=Time().clocks(),
    )
    task = asyncio.create_task(worker.run())
    await until(lambda: worker._news.is_set() is False)
    path.unlink()
    with pytest.raises(StateFileGoneError):
        await task
    async with asyncio.timeout(1):
        await worker.stop(60)
    await ledger.close()


async def test_without_its_state_file_it_begins_nothing_more(tmp_path: Path) -> None:
    """What is claimed ahead may be pending in the file that was put there: it would be posted again at the start."""
    path, poster = tmp_path / "state.db", Poster()
    poster.open.clear()
    ledger = await Ledger.open(path)
    worker = DeliveryWorker(
        ledger,
        poster,  # type: ignore[arg-type] # only `post` is used
        concurrency=1,
        patience=Patience(first=1, cap=300, give_up_after=10_000),
        clocks=Time().clocks(),
    )
    await accept(ledger, *"abc")
    task = asyncio.create_task(worker.run())
    await until(lambda: poster.under_way)
    path.unlink()
    worker.knock()
    with pytest.raises(StateFileGoneError):
        await task
    poster.open.set()
    await until(lambda: not worker._under_way)
    await worker.stop(1)
    assert poster.posted == ["a"]
    await ledger.close()


async def test_nothing_waits_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """It was a year ahead when an item was put off: the item goes in its time, and not a year later."""
    time = Time()
    time.ahead = 365 * 86_400.0
    answers = [CREATED, LATER]
    poster = Poster(lambda _: answers.pop())
    async with working(tmp_path / "state.db", poster, time) as (ledger, worker):
        await accept(ledger, "a", now=time.now + time.ahead)
        worker.knock()
        await until(lambda: poster.posted)
        await until(settled(ledger, "pending", 1))
        time.ahead = 0.0
        time.now += 2
        worker.knock()
        await until(settled(ledger, "created", 1))
    assert poster.posted == ["a", "a"]


@pytest.mark.parametrize(
    ("monotonic", "wall", "back"),
    [(10, 10, 0), (10, 9.5, 0), (10, 3610, 0), (0, 86_400, 0), (10, 8, 2), (10, -3590, 3600)],
)
def test_a_clock_that_was_set_back_is_told_from_others(monotonic: float, wall: float, back: float) -> None:
    """One that is slewed, was set forward, or went on while the machine slept is none; each step is told once."""
    now = {"monotonic": 0.0, "wall": 1000.0}
    watch = SetBack(Clocks(wall=lambda: now["wall"], monotonic=lambda: now["monotonic"]))
    now = {"monotonic": monotonic, "wall": 1000.0 + wall}
    assert watch.seconds() == back
    assert watch.seconds() == 0
