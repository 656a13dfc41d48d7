"""The demo itself: the story is acted out on the stage, the board follows, the account closes it."""

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import aiohttp

from bridge.acd.simulator.faults import Fault, Kind
from bridge.demo.account import Account
from bridge.demo.actors import Customers, Helpdesk
from bridge.demo.board import LiveBoard, PlainBoard, Row, row_of
from bridge.demo.stage import USER, Stage, staged
from bridge.demo.story import OLD_MAILS, Mail, Outage, Step, Ticket, story
from bridge.ledger import queries
from bridge.ledger.duplicates import newest
from bridge.ledger.item import ItemFilter
from bridge.ledger.state import OPEN
from bridge.ledger.visit import look

LOOK_EVERY_SECONDS = 0.2
SETTLE_WITHIN_SECONDS = 60.0
MOST_ROWS = 1000


class Show:
    """One performance."""

    def __init__(self, stage: Stage, customers: Customers, seconds: float) -> None:
        self._stage = stage
        self._customers = customers
        self._helpdesk = Helpdesk(stage.hook_url)
        self._seconds = seconds
        self._handed_in: dict[str, float] = {}
        self._news = "the inbox holds old mail, which is left alone; now customers write"
        self._mails = self._tickets = self._refused = 0
        self._outages: set[asyncio.Task[None]] = set()

    async def play(self, board: LiveBoard | PlainBoard) -> Account:
        """Act the story out, wait until all is settled, and give the account."""
        watching = asyncio.create_task(self._watch(board))
        try:
            await self._act()
            await asyncio.gather(*self._outages)
            await self._settle()
        finally:
            watching.cancel()
        board.show(self._rows(), self._news)
        return self._account()

    async def _act(self) -> None:
        await self._until_watched()
        began = time.monotonic()
        async with aiohttp.ClientSession() as session:
            for step in story():
                await asyncio.sleep(max(0.0, began + step.at * self._seconds - time.monotonic()))
                await self._perform(step, session)

    async def _until_watched(self) -> None:
        """What comes before the inbox has its baseline counts as old."""
        while not look(self._stage.state_path, queries.cursors):  # noqa: ASYNC110 - the state file tells nobody
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _perform(self, step: Step, session: aiohttp.ClientSession) -> None:
        match step.act:
            case Mail() as mail:
                message_id, raw = self._customers.write(mail)
                self._handed_in[message_id.strip("<>")] = time.time()
                await self._stage.mail.deliver(USER, raw)
                self._mails += 1
            case Ticket() as ticket:
                await self._post(ticket, session)
            case Outage(share):
                self._outages.add(asyncio.create_task(self._break_acd(share * self._seconds)))

    async def _post(self, ticket: Ticket, session: aiohttp.ClientSession) -> None:
        began = time.time()
        delivery, status = await self._helpdesk.post(session, ticket)
        self._handed_in[delivery] = began
        if status == 200:
            self._tickets += 1
        else:
            self._refused += 1

    async def _break_acd(self, seconds: float) -> None:
        self._news = "the ACD fails: it answers 503 to everything"
        self._stage.acd.faults.add(Fault(kind=Kind.STATUS, status=503, body="html"))
        await asyncio.sleep(seconds)
        self._stage.acd.faults.clear()
        self._news = "the ACD is back; what waited is posted in order"

    async def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_WITHIN_SECONDS
        while time.monotonic() < deadline and not self._settled():  # noqa: ASYNC110 - the state file tells nobody
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        self._news = "all is settled" if self._settled() else "not all is settled in time"

    def _settled(self) -> bool:
        totals = look(self._stage.state_path, queries.totals)
        return sum(totals.values()) == self._mails + self._tickets and not any(
            totals[state] for state in OPEN
        )

    async def _watch(self, board: LiveBoard | PlainBoard) -> None:
        while True:
            board.show(await asyncio.to_thread(self._rows), self._news)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def _rows(self) -> list[Row]:
        items = look(self._stage.state_path, partial(queries.items, wanted=ItemFilter(limit=MOST_ROWS)))
        return [row_of(item, self._handed_in) for item in items]

    def _account(self) -> Account:
        path = self._stage.state_path
        return Account(
            old_mails=OLD_MAILS,
            mails=self._mails,
            tickets=self._tickets,
            refused=self._refused,
            items=look(path, queries.totals),
            events=len(self._stage.acd.events),
            duplicates=len(look(path, partial(newest, limit=MOST_ROWS))),
        )


async def perform(seconds: float) -> Account:
    """Run the whole demo in a folder that is removed afterwards."""
    customers = Customers()
    with tempfile.TemporaryDirectory(prefix="acd-bridge-demo-") as folder:
        async with staged(Path(folder), customers) as stage:
            with LiveBoard() if sys.stdout.isatty() else PlainBoard() as board:
                return await Show(stage, customers, seconds).play(board)
