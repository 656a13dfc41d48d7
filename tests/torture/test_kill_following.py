"""kill -9 of the real service at random instants while it follows events and tells a helpdesk of their end.

A tenth of $ACD_BRIDGE_KILLS is the number of kills; `make torture` has more than the plain test run.
"""

import asyncio
import os
import random
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.ledger import follow_ups, notices, queries
from bridge.ledger.item import ItemFilter
from bridge.ledger.verify import violations
from bridge.ledger.visit import look
from tests.receiver import SECRET, Receiver, receiver
from tests.torture.kill.lives import Life, forked
from tests.wait import until

KILLS = max(5, int(os.environ.get("ACD_BRIDGE_KILLS", "0")) // 10)
TICKETS_A_LIFE = 3

CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = "simulator"
settle = 0.2
retry_first = 0.05
retry_cap = 0.2
[state]
path = "{folder}/state.db"
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:{port}"
[follow_up]
first = 0.05
cap = 0.1
rate = 100
[[notify]]
name = "desk"
url = "{desk}"
secrets = ["{secret}"]
[[route]]
name = "all"
event = {{ type = "Ticket", group = "Support" }}
follow_up = true
notify = "desk"
"""


@pytest.fixture
async def acd() -> AsyncIterator[Simulator]:
    """Events are New, Seen and Done within half a second."""
    running = await Simulator.start(Settings(schedule=((0.0, 20), (0.2, 30), (0.4, 99))))
    yield running
    await running.close()


class Service:
    """The service, started and killed again and again; tickets are posted in each of its lives."""

    def __init__(self, folder: Path, acd: Simulator, desk: Receiver) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self._port = one.getsockname()[1]
        self._folder = folder
        self._config = folder / "bridge.toml"
        self._config.write_text(
            CONFIG.format(acd=acd.url, folder=folder, port=self._port, desk=desk.url, secret=SECRET)
        )
        self.posted = 0

    def start(self) -> Life:
        return forked(["run", "--config", str(self._config)], self._folder / "log")

    async def post_some(self) -> None:
        for _ in range(TICKETS_A_LIFE):
            await until(self._post_one, within=30)

    async def _post_one(self) -> bool:
        number = f"T-{self.posted}"
        body = {"data": {"number": number, "subject": number, "requestor_email": "a@example.org"}}
        url = f"http://127.0.0.1:{self._port}/hooks/desk"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json=body, headers={"webhook-id": number}) as answer,
            ):
                self.posted += answer.status == 200
                return answer.status == 200
        except aiohttp.ClientError:
            return False  # it is not up yet


async def told_and_not_told(
    folder: Path, acd: Simulator, kills: int, after_kill: Callable[[Path], object]
) -> tuple[set[str], set[str]]:
    """The ends of events that the helpdesk was told, and those that it should have been and was not, by their IDs.

    In every other life of the service the helpdesk takes notices and does not answer them.
    """
    chance, state = random.Random(kills), folder / "state.db"
    async with receiver() as desk:
        service = Service(folder, acd, desk)
        for life in range(kills):
            (desk.open.clear if life % 2 else desk.open.set)()
            process = service.start()
            await service.post_some()
            await asyncio.sleep(chance.uniform(0, 0.7))  # the instant of the kill is what is tried out
            process.kill()
            await process.wait()
            after_kill(state)
        desk.open.set()
        process = service.start()
        await until(lambda: look(state, queries.totals)["created"] == service.posted, within=30)
        await until(lambda: look(state, follow_ups.totals).waiting == 0, within=30)
        await until(lambda: not look(state, notices.waiting), within=30)
        process.terminate()
        await process.wait()
        items = look(state, partial(queries.items, wanted=ItemFilter(limit=10_000)))
        assert len(items) == service.posted == kills * TICKETS_A_LIFE
        told = {one["id"] for one in desk.taken}
        return told, {f"{item.key}-done" for item in items} - told


async def test_every_end_is_told_after_any_number_of_kills(tmp_path: Path, acd: Simulator) -> None:
    """Each event is followed to Done and told at least once under one ID, and the state file holds its invariants."""
    told, not_told = await told_and_not_told(tmp_path, acd, KILLS, lambda _: None)
    assert not_told == set()
    assert len(told) == KILLS * TICKETS_A_LIFE
    assert look(tmp_path / "state.db", violations) == []


async def test_where_notices_are_forgotten_it_is_found(tmp_path: Path, acd: Simulator) -> None:
    """With the safeguard taken away by hand (what waited at the kill is taken as told) ends are missing."""
    _, not_told = await told_and_not_told(tmp_path, acd, 4, _forget_what_waits)
    assert not_told != set()


def _forget_what_waits(state: Path) -> None:
    with closing(sqlite3.connect(state)) as conn, conn:
        conn.execute("UPDATE notices SET ended_at = 1, outcome = 'taken' WHERE ended_at IS NULL")
