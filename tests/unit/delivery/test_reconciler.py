import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.acd.answer import Answer, Meaning
from bridge.acd.failure import AcdLater
from bridge.acd.record import AcdEvent
from bridge.acd.request import CreateRequest
from bridge.app import SLOW_WITHIN_SECONDS
from bridge.config.acd import Acd
from bridge.delivery.clocks import Clocks
from bridge.delivery.reconcile import find_events
from bridge.delivery.reconciler import Reconciler
from bridge.event import EventDraft
from bridge.ledger.ledger import Ledger
from bridge.reason import Reason
from tests.unit.ledger.making import created, new_item, uncertain
from tests.wait import until

NOW = 1_795_400_000.0


class Client:
    """The ACD's list, in memory; it may fail for a while."""

    def __init__(self, *events: AcdEvent, failures: int = 0, reason: Reason = Reason.ACD_FAILED) -> None:
        self.listed = list(events)
        self.failures = failures
        self.readings = 0
        self.reason = reason

    async def events(self, *, attested_only: bool) -> list[AcdEvent]:
        assert attested_only
        self.readings += 1
        if self.failures >= self.readings:
            failed = Answer(meaning=Meaning.LATER, reason=self.reason, status=503)
            raise AcdLater("GET /acd/events", answer=failed)
        return self.listed


class Poster:
    """Makes requests of drafts; one draft is beyond it."""

    async def request_of(self, draft: EventDraft) -> CreateRequest:
        if draft.subject == "beyond it":
            raise KeyError("a defect")
        return CreateRequest(**(draft.as_dict() | {"type": 7, "group": 12}))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.delivery.reconciler.LEAST_BETWEEN_READINGS", 0.01)


def reconciler(
    ledger: Ledger,
    client: Client,
    knock: Callable[[], None],
    clock: Callable[[], float] = lambda: NOW,
    **acd_settings: Any,
) -> Reconciler:
    acd = Acd.model_validate(
        {"url": "http://acd", "clients_id": 1, "token": "t", "settle": 1, "timezone": "UTC"} | acd_settings
    )
    return Reconciler(
        ledger,
        client,  # type: ignore[arg-type] # only `events` is used
        Poster(),  # type: ignore[arg-type] # only `request_of` is used
        acd=acd.model_copy(update={"retry_first": 0.01}),
        clocks=Clocks(wall=clock, monotonic=lambda: NOW, chance=lambda: 0.0),
        news=asyncio.Event(),
        knock=knock,
    )


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Ledger]:
    """A ledger while the block runs."""
    ledger = await Ledger.open(path)
    try:
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def running(one: Reconciler) -> AsyncIterator[None]:
    """It runs while the block does, and does not end by itself."""
    task = asyncio.create_task(one.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reconciled(
    path: Path, client: Client, *subjects: str, within: float = 5, **acd_settings: Any
) -> dict[str, str]:
    """The states of items that were uncertain, once each that can be has been decided about."""
    async with opened(path) as ledger:
        draft = EventDraft(type="Ticket", group="Support", sender="anna@example.org", subject="")
        items = [
            new_item(subject, event=EventDraft.from_dict(draft.as_dict() | {"subject": subject}))
            for subject in subjects
        ]
        now = round(NOW * 1000)
        await ledger.accept(items, None, now=now - 60_000)
        claimed = await ledger.turn([], len(items), now=now - 60_000)
        await ledger.turn([(one, uncertain()) for one in claimed], 0, now=now - 50_000)
        knocks: list[None] = []
        async with running(reconciler(ledger, client, lambda: knocks.append(None), **acd_settings)):
            await until(lambda: knocks, within=within)
        found = {one.key: "uncertain" for one in await ledger.doubts()}
        totals = await ledger.totals()
    return found | {state: str(number) for state, number in totals.items() if number}


def listed(subject: str, **more: Any) -> AcdEvent:
    fields = {
        "ID": 5, "AcdEventTypesID": 7, "AcdGroupsID": 12, "Sender": "anna@example.org", "Subject": subject,
        "UserData": None, "dtCreated": "2026-11-23T03:32:30.000",
    }  # fmt: skip
    return AcdEvent.model_validate(fields | more)


async def test_what_is_there_is_settled_and_the_rest_is_posted_again(tmp_path: Path) -> None:
    """One reading of the list decides about all of them."""
    client = Client(listed("Printer"))
    states = await reconciled(tmp_path / "state.db", client, "Printer", "Scanner")
    assert (states["created"], states["pending"]) == ("1", "1")
    assert client.readings == 1


async def test_the_event_of_a_request_under_way_is_not_anothers(tmp_path: Path) -> None:
    """Two mails say the same; the event in the list is that of the second, whose answer is still on its way.

    The first is not settled with it, since nothing of it would reach the ACD then, and is posted once that is known.
    """
    async with opened(tmp_path / "state.db") as ledger:
        now = round(NOW * 1000)
        await ledger.accept([new_item("first"), new_item("second")], None, now=now - 60_000)
        first, second = await ledger.turn([], 2, now=now - 60_000)
        await ledger.turn([(first, uncertain())], 0, now=now - 50_000)
        client, knocks = Client(listed("Printer on strike")), list[None]()
        async with running(reconciler(ledger, client, lambda: knocks.append(None))):
            await until(lambda: client.readings >= 3)
            assert [one.key for one in await ledger.doubts()] == ["first"]
            await ledger.turn([(second, created(5))], 0, now=now)
            await until(lambda: knocks)
        totals = await ledger.totals()
    assert (totals["created"], totals["pending"]) == (1, 1)


async def test_a_clock_that_was_set_back_makes_no_doubt_wait_for_it(tmp_path: Path) -> None:
    """The attempt ended at a time that is years away now; its item is looked for within `acd.settle` all the same."""
    async with opened(tmp_path / "state.db") as ledger:
        clock = [NOW + 4 * 365 * 86_400]
        await ledger.accept([new_item("a")], None, now=round(clock[0] * 1000))
        claimed = await ledger.turn([], 1, now=round(clock[0] * 1000))
        await ledger.turn([(one, uncertain()) for one in claimed], 0, now=round(clock[0] * 1000))
        clock[0] = NOW
        client, knocks = Client(), list[None]()
        async with running(reconciler(ledger, client, lambda: knocks.append(None), clock=lambda: clock[0])):
            await until(lambda: client.readings >= 2)
            assert (await ledger.totals())["uncertain"] == 1
            clock[0] += 1.5
            await until(lambda: knocks)
        totals = await ledger.totals()
    assert totals["pending"] == 1


async def test_an_item_that_is_beyond_it_stops_nobody(tmp_path: Path) -> None:
    """A defect with one item is logged; that item waits for an operator, and the others go on."""
    states = await reconciled(tmp_path / "state.db", Client(), "beyond it", "Printer")
    assert (states["beyond it"], states["pending"]) == ("uncertain", "1")


async def test_a_defect_while_looking_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the list holds may be beyond our foresight: it is logged and looked at again, and the bridge goes on."""
    tries = 0

    def failing(*arguments: Any) -> Any:
        nonlocal tries
        tries += 1
        return find_events(*arguments) if tries > 1 else 1 / 0

    monkeypatch.setattr("bridge.delivery.reconciler.find_events", failing)
    states = await reconciled(tmp_path / "state.db", Client(listed("Printer")), "Printer")
    assert states["created"] == "1"


async def test_a_list_that_cannot_be_read_is_read_later(tmp_path: Path) -> None:
    """Nothing is posted on a guess."""
    client = Client(listed("Printer"), failures=3)
    states = await reconciled(tmp_path / "state.db", client, "Printer")
    assert states["created"] == "1"
    assert client.readings == 4


@pytest.mark.parametrize(("policy", "state"), [("resend", "pending"), ("hold", "held")])
async def test_what_an_operator_wants_while_the_list_cannot_be_read(
    tmp_path: Path, policy: str, state: str
) -> None:
    """The ACD answers, but not with its list: after `retry_cap` nobody waits any longer."""
    client = Client(listed("Printer"), failures=1_000)
    states = await reconciled(
        tmp_path / "state.db", client, "Printer", on_unreadable=policy, retry_cap=40, retry_first=0.01
    )
    assert states == {state: "1"}


async def test_before_that_time_it_waits(tmp_path: Path) -> None:
    """The list is tried again first; what is younger than `retry_cap` is not given up on."""
    client = Client(listed("Printer"), failures=3)
    states = await reconciled(
        tmp_path / "state.db", client, "Printer", on_unreadable="resend", retry_cap=3600, retry_first=0.01
    )
    assert states == {"created": "1"}


async def test_while_nobody_can_be_reached_it_waits(tmp_path: Path) -> None:
    """Nothing could be posted either, and the list may be there afterwards."""
    client = Client(listed("Printer"), failures=3, reason=Reason.ACD_UNREACHABLE)
    states = await reconciled(
        tmp_path / "state.db", client, "Printer", on_unreadable="resend", retry_cap=40, retry_first=0.01
    )
    assert states == {"created": "1"}


async def test_no_pause_is_longer_than_the_watchdog_waits(tmp_path: Path) -> None:
    """Whatever `acd.retry_cap` says: a reconciler that does not turn would be taken for one that is stuck."""
    ledger = await Ledger.open(tmp_path / "state.db")
    acd = Acd.model_validate(
        {"url": "http://acd", "clients_id": 1, "token": "t", "retry_first": "2h", "retry_cap": "4h"}
    )
    reconciler = Reconciler(
        ledger,
        Client(),  # type: ignore[arg-type] # only `events` is used
        Poster(),  # type: ignore[arg-type] # only `request_of` is used
        acd=acd,
        clocks=Clocks(chance=lambda: 1.0),
        news=asyncio.Event(),
        knock=lambda: None,
    )
    assert reconciler._unreadable("acd-failed", "") < SLOW_WITHIN_SECONDS / 2
    await ledger.close()
