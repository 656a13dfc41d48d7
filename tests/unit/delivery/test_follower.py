"""Looking at followed events: what is asked of the ACD, when, and what failures cost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.acd.failure import (
    AcdConnectionLost,
    AcdFailure,
    AcdLater,
    AcdNotFound,
    AcdRefused,
    AcdUnauthorised,
    AcdUnreachable,
    AcdUnreadable,
    AcdWrongAddress,
)
from bridge.acd.record import AcdEvent, AcdEventStatus
from bridge.acd.statuses import STATED
from bridge.config.acd import Acd
from bridge.config.follow_up import FollowUp
from bridge.delivery import follower as module
from bridge.delivery.clocks import Clocks
from bridge.delivery.follower import Follower
from bridge.delivery.pace import Pace
from bridge.delivery.retry import Patience
from bridge.errors import StateFileError
from bridge.ledger import follow_ups
from bridge.ledger.follow_ups import FollowedRoute, FollowUpState
from bridge.ledger.ledger import Ledger
from bridge.ledger.visit import look
from bridge.reason import Reason
from tests.unit.ledger.making import created, new_item, updated
from tests.wait import until

ANSWER = Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED, status=503)
BEGAN = 1_795_406_526.0


class Client:
    """Events in memory, by ID and by list; each may fail."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = {int(name.removeprefix("e")): status for name, status in statuses.items()}
        self.failures: dict[int, Exception] = {}
        self.list_failure: Exception | None = None
        self.asked: list[int | str] = []

    async def event(self, event_id: int) -> AcdEvent:
        self.asked.append(event_id)
        if event_id in self.failures:
            raise self.failures[event_id]
        if event_id not in self.statuses:
            raise AcdNotFound("gone", answer=ANSWER)
        return AcdEvent.model_validate({"ID": event_id, "AcdEventStatusID": self.statuses[event_id]})

    async def events(self, *, attested_only: bool) -> list[AcdEvent]:
        assert attested_only
        self.asked.append("list")
        if self.list_failure is not None:
            raise self.list_failure
        return [
            AcdEvent.model_validate({"ID": event_id, "AcdEventStatusID": status})
            for event_id, status in self.statuses.items()
        ]

    async def event_statuses(self) -> list[AcdEventStatus]:
        return [
            AcdEventStatus.model_validate({"ID": number, "ShortText": f"AcdEventStatus.{name}"})
            for number, name in STATED.items()
        ]


class Stage:
    """A state file with followed events, a client, and clocks that the test moves. Pauses are written down."""

    def __init__(self, ledger: Ledger, path: Path, client: Client) -> None:
        self.ledger = ledger
        self.path = path
        self.client = client
        self.wall = BEGAN
        self.held_up = False
        self.follower = Follower(
            ledger,
            client,  # type: ignore[arg-type] # only the calls above are used
            acd=Acd.model_validate({"url": "http://acd", "clients_id": 1, "token": "t", "retry_first": 1}),
            terms=FollowUp(first=30, cap=900, rate=100),
            clocks=Clocks(wall=lambda: self.wall, monotonic=lambda: self.wall, chance=lambda: 1.0),
            held_up=lambda: self.held_up,
        )

    async def settle(self, *event_ids: int, existing: bool = False) -> None:
        """Items whose events are followed from now on."""
        now = round(self.wall * 1000)
        before = sum((await self.ledger.totals()).values())
        names = [f"k{number:04}" for number in range(before, before + len(event_ids))]
        await self.ledger.accept([new_item(name, route="followed") for name in names], None, now=now)
        claimed = await self.ledger.turn([], len(names), now=now)
        ends = [updated(one) if existing else created(one) for one in event_ids]
        await self.ledger.turn(list(zip(claimed, ends, strict=True)), 0, now=now)

    async def round(self, seconds: float = 0.0) -> float:
        """One round, so many seconds later."""
        self.wall += seconds
        return await self.follower._round()

    def state(self, item_id: int = 1) -> FollowUpState:
        found = look(self.path, partial(follow_ups.state_of, item_id=item_id))
        assert found is not None
        return found


@asynccontextmanager
async def stage(path: Path, client: Client, *event_ids: int) -> AsyncIterator[Stage]:
    ledger = await Ledger.open(path)
    try:
        await ledger.follow_ups.set_routes(
            [FollowedRoute(route="followed")], first=30_000, longest=900_000, now=1
        )
        made = Stage(ledger, path, client)
        if event_ids:
            await made.settle(*event_ids)
        yield made
    finally:
        await ledger.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The follower's own sleeps take no time, and are written down."""
    slept: list[float] = []
    let_others_run = partial(asyncio.sleep, 0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await let_others_run()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


def failure(kind: type[AcdFailure], retry_after: float | None = None) -> AcdFailure:
    return kind("x", answer=Answer(meaning=Meaning.LATER, reason=Reason.ACD_FAILED, retry_after=retry_after))


async def test_an_event_is_followed_to_its_end(path: Path) -> None:
    """Nothing is asked before a look is due; from New over Seen to Done each look is one request."""
    client = Client(e5=20)
    async with stage(path, client, 5) as on:
        assert await on.round() == module.LOOK_EVERY_SECONDS
        assert await on.round(29) == module.LOOK_EVERY_SECONDS
        assert client.asked == []
        assert await on.round(1) == 0
        assert (on.state().status_name, on.state().looks) == ("New", 1)
        client.statuses[5] = 30
        await on.round(30)
        client.statuses[5] = 99
        await on.round(30)
        told = on.state()
        assert (told.outcome, told.status_name, client.asked) == ("done", "Done", [5, 5, 5])
        assert [told.new_at, told.seen_at, told.done_at] == [
            round((BEGAN + seconds) * 1000) for seconds in (30, 60, 90)
        ]
        await on.round(10_000)
        assert client.asked == [5, 5, 5]


async def test_items_that_share_an_event_share_a_look(path: Path) -> None:
    """Duplicates went into the same event: one request serves all of them."""
    client = Client(e5=99)
    async with stage(path, client, 5) as on:
        await on.settle(5, 5, existing=True)
        await on.round(30)
        assert client.asked == [5]
        assert [on.state(number).outcome for number in (1, 2, 3)] == ["done"] * 3


async def test_a_purged_event_is_unknown(path: Path) -> None:
    """It ends, and is not asked for again."""
    client = Client()
    async with stage(path, client, 5) as on:
        await on.round(30)
        assert on.state().outcome == "unknown"
        await on.round(1000)
        assert client.asked == [5]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AcdRefused("x", answer=ANSWER), "acd-failed (HTTP 503)"),
        (AcdUnreadable("x", answer=ANSWER), "acd-failed (HTTP 503)"),
        (KeyError("x"), module.DEFECT),
        (None, module.ANOTHER),
    ],
)
async def test_one_event_that_cannot_be_read_keeps_nobody(
    path: Path, error: Exception | None, words: str
) -> None:
    """It is tried again later, and the others are looked at in the same round."""
    client = Client(e5=20, e6=99)
    asked = client.event

    async def event(event_id: int) -> AcdEvent:
        if event_id == 5 and error is not None:
            raise error
        return await asked(6)

    client.event = event  # type: ignore[method-assign] # the ACD shows the other event, or fails
    async with stage(path, client, 5, 6) as on:
        assert await on.round(30) == 0
        assert (on.state(1).outcome, on.state(1).detail, on.state(2).outcome) == ("", words, "done")
        assert on.state(1).looked_at is None


@pytest.mark.parametrize(
    ("kind", "pause"), [(AcdLater, 1), (AcdConnectionLost, 1), (AcdWrongAddress, 60), (AcdUnauthorised, 60)]
)
async def test_an_event_that_the_acd_fails_over_is_not_first_for_ever(
    path: Path, kind: type[AcdFailure], pause: float
) -> None:
    """The round ends and all pause; in the next round the others come first."""
    client = Client(e5=20, e6=99)
    client.failures[5] = failure(kind)
    async with stage(path, client, 5, 6) as on:
        assert await on.round(30) == pause
        assert client.asked == [5]
        await on.round(1)
        assert client.asked == [5, 6]
        assert on.state(2).outcome == "done"


@pytest.mark.parametrize(
    ("kind", "retry_after", "pauses"),
    [
        (AcdUnreachable, None, [1, 2, 4]),
        (AcdLater, 20, [20, 20, 20]),
        (AcdLater, 1e6, [module.LONGEST_PAUSE_SECONDS] * 3),
        (AcdUnauthorised, None, [60, 60, 60]),
        (AcdWrongAddress, None, [60, 60, 60]),
    ],
)
async def test_an_outage_makes_it_pause_for_longer_and_longer(
    path: Path, kind: type[AcdFailure], retry_after: float | None, pauses: Sequence[float]
) -> None:
    """Nothing of an event is lost by it, and once the ACD answers it goes on."""
    client = Client(e5=20)
    client.failures[5] = failure(kind, retry_after)
    async with stage(path, client, 5) as on:
        assert [await on.round(1000) for _ in pauses] == pauses
        assert on.state().outcome == ""
        client.failures.clear()
        assert await on.round(1000) == 0
        assert on.state().status_name == "New"


async def test_no_pause_is_longer_than_the_watchdog_waits(path: Path) -> None:
    """Whatever `acd.retry_cap` says: a follower that does not turn would be taken for one that is stuck."""
    client = Client(e5=20)
    client.failures[5] = failure(AcdUnreachable)
    async with stage(path, client, 5) as on:
        on.follower._outage = Patience(first=7200, cap=14_400, give_up_after=1e6)
        assert await on.round(30) == module.LONGEST_PAUSE_SECONDS


async def test_while_posting_is_held_up_nothing_is_asked(path: Path) -> None:
    """The gate is shut and an item waits: its tries tell when the ACD is there again."""
    client = Client(e5=99)
    async with stage(path, client, 5) as on:
        await on.ledger.accept([new_item("waits")], None, now=round(BEGAN * 1000))
        on.held_up = True
        assert await on.round(1000) == module.LOOK_EVERY_SECONDS
        assert client.asked == []
        on.held_up = False
        await on.round()
        assert on.state().outcome == "done"


async def test_with_nothing_to_post_it_finds_out_by_itself(path: Path) -> None:
    """No try would ever open the gate again: the follower asks, with pauses of its own."""
    client = Client(e5=99)
    async with stage(path, client, 5) as on:
        on.held_up = True
        await on.round(30)
        assert on.state().outcome == "done"


async def test_a_gate_that_shuts_ends_the_round(path: Path) -> None:
    """What was found by then is written down; the rest waits."""
    client = Client(e5=99, e6=99)
    async with stage(path, client, 5, 6) as on:
        await on.ledger.accept([new_item("waits")], None, now=round(BEGAN * 1000))
        asked = client.event

        async def shut(event_id: int) -> AcdEvent:
            on.held_up = True
            return await asked(event_id)

        client.event = shut  # type: ignore[method-assign] # the gate shuts while the first is asked for
        await on.round(30)
        assert (client.asked, on.state(1).outcome, on.state(2).outcome) == ([5], "done", "")


async def test_many_that_are_due_are_read_from_the_list(path: Path) -> None:
    """One request in place of many, which also serves what is due soon; what it does not show is asked for alone."""
    client = Client(**{f"e{number}": 99 for number in range(1, 60)})
    async with stage(path, client, *range(1, 60)) as on:
        on.wall += 100
        await on.settle(1, 10_000, existing=True)  # due 100 seconds later, and gone from the list
        on.wall -= 100
        await on.round(30)
        assert client.asked == ["list"]
        assert {on.state(number).outcome for number in range(1, 61)} == {"done"}
        assert on.state(61).outcome == ""
        await on.round(100)
        assert (client.asked, on.state(61).outcome) == (["list", 10_000], "unknown")


async def test_the_list_is_not_read_again_at_once(path: Path) -> None:
    """Between two readings events are looked at one by one, a few in a round."""
    client = Client(**{f"e{number}": 20 for number in range(1, 200)})
    async with stage(path, client, *range(1, 200)) as on:
        await on.round(30)
        await on.round(31)
        assert client.asked == ["list", *range(1, 1 + module.IN_A_ROUND)]
        await on.round(30)
        assert client.asked[-1] == "list"


@pytest.mark.parametrize("kind", [AcdUnreadable, AcdLater, AcdConnectionLost])
async def test_a_list_that_cannot_be_read_is_done_without(path: Path, kind: type[AcdFailure]) -> None:
    """After a pause the events are looked at one by one, and the list is left alone for an hour."""
    client = Client(**{f"e{number}": 20 for number in range(1, 60)})
    client.list_failure = failure(kind)
    async with stage(path, client, *range(1, 60)) as on:
        assert await on.round(30) == 1
        await on.round(1)
        assert client.asked == ["list", *range(1, 1 + module.IN_A_ROUND)]
        await on.round(600)
        assert client.asked.count("list") == 1
        await on.round(3600)
        assert client.asked.count("list") == 2


async def test_looks_keep_their_pace(path: Path, unhurried: list[float]) -> None:
    """No more than `follow_up.rate` events a second are asked for one by one."""
    client = Client(e5=20, e6=20, e7=20)
    async with stage(path, client, 5, 6, 7) as on:
        on.follower._pace = Pace(2.0, at=BEGAN)
        await on.round(30)
        # The clock of this test stands still: each wait is counted from the same moment.
        assert unhurried == [0.0, 0.0, 0.5]


async def test_a_defect_and_a_failing_state_file_end_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both make it pause; the next round goes on."""
    client = Client(e5=99)
    async with stage(path, client, 5) as on:
        with monkeypatch.context() as broken:

            def crash(*_: object) -> bool:
                raise KeyError("a defect")

            broken.setattr(module, "list_is_cheaper", crash)
            assert await on.round(30) == 1
        with monkeypatch.context() as failing:

            async def fail() -> dict[str, int]:
                raise StateFileError("the disk is full")

            failing.setattr(on.ledger, "totals", fail)
            on.held_up = True
            assert await on.round() == 2
        await on.round()
        assert on.state().outcome == "done"


async def test_it_runs_until_it_is_cancelled(path: Path) -> None:
    """Round after round, and each is told to the watchdog."""
    client = Client(e5=99)
    async with stage(path, client, 5) as on:
        on.wall += 30
        task = asyncio.ensure_future(on.follower.run())
        ticked = on.follower.ticked_at
        try:
            await until(lambda: on.state().outcome == "done")
        finally:
            task.cancel()
        assert on.follower.ticked_at > ticked
