"""kill -9 of the real service at random instants, while a helpdesk posts and retries: nothing lost, nothing doubled.

$ACD_BRIDGE_KILLS says how many kills; `make torture` has more than the plain test run.
"""

import asyncio
import os
import random
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.ledger import queries
from bridge.ledger.state import OPEN
from bridge.ledger.visit import look
from tests.wait import until

KILLS = int(os.environ.get("ACD_BRIDGE_KILLS", "15"))
CONVERSATIONS = 12
DESK_PAUSE_SECONDS = 0.02
"""Between two tries of the helpdesk."""

CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = "simulator"
settle = 0.5
retry_first = 0.05
retry_cap = 0.2
[state]
path = "{folder}/state.db"
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:{port}"
[[route]]
name = "all"
event = {{ type = "Ticket", group = "Support" }}
"""


@dataclass
class Audit:
    """What was handed in and answered 200, beside what the ACD has."""

    acknowledged: list[str]
    events: list[str]
    lost: list[str] = field(init=False)
    doubled: list[str] = field(init=False)
    out_of_order: list[str] = field(init=False)

    def __post_init__(self) -> None:
        counted = Counter(self.events)
        self.lost = [subject for subject in self.acknowledged if subject not in counted]
        self.doubled = [subject for subject, number in counted.items() if number > 1]
        self.out_of_order = [
            conversation
            for conversation in {subject.split()[0] for subject in self.events}
            if not in_order([subject for subject in self.events if subject.split()[0] == conversation])
        ]


def in_order(subjects: list[str]) -> bool:
    """Whether the first sight of each message of a conversation comes in the order of their numbers."""
    numbers = [int(subject.split()[1]) for subject in dict.fromkeys(subjects)]
    return numbers == sorted(numbers)


def test_the_auditor_sees_what_is_wrong() -> None:
    """An audit that cannot fail would prove nothing."""
    audit = Audit(acknowledged=["a 1", "a 2", "b 1"], events=["a 2", "a 1", "a 2"])
    assert (audit.lost, audit.doubled, audit.out_of_order) == (["b 1"], ["a 2"], ["a"])


class Ordeal:
    """One service that is killed again and again, and a helpdesk that does not give up."""

    def __init__(self, folder: Path, acd: Simulator) -> None:
        self._folder = folder
        self._acd = acd
        self._port = _free_port()
        self._config = folder / "bridge.toml"
        self._config.write_text(CONFIG.format(acd=acd.url, folder=folder, port=self._port))
        self.acknowledged: list[str] = []
        self._stopping = False

    @property
    def state(self) -> Path:
        return self._folder / "state.db"

    async def run(self, kills: int, after_kill: Callable[[Path], object]) -> Audit:
        chance = random.Random(kills)
        desks = [asyncio.create_task(self._post(conversation)) for conversation in range(CONVERSATIONS)]
        for _ in range(kills):
            process = await self._start()
            await self._answers()
            await asyncio.sleep(chance.uniform(0, 0.3))  # the instant of the kill is what is tried out
            process.kill()
            await process.wait()
            after_kill(self.state)
        self._stopping = True
        process = await self._start()
        await asyncio.gather(*desks)
        await until(self._settled, within=60)
        process.terminate()
        await process.wait()
        return Audit(self.acknowledged, [event["Subject"] for event in self._acd.events])

    async def _start(self) -> asyncio.subprocess.Process:
        with (self._folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "run", "--config", str(self._config), stdout=log, stderr=log
            )

    async def _answers(self) -> None:
        before = len(self.acknowledged)
        await until(lambda: len(self.acknowledged) > before, within=30)

    async def _post(self, conversation: int) -> None:
        """Message after message; each is sent again until it is answered 200, as helpdesks do."""
        number = 0
        async with aiohttp.ClientSession() as session:
            while not self._stopping:
                number += 1
                await self._until_accepted(session, conversation, number)

    async def _until_accepted(self, session: aiohttp.ClientSession, conversation: int, number: int) -> None:
        subject = f"c{conversation} {number}"
        body = {
            "data": {"number": f"c{conversation}", "subject": subject, "requestor_email": "a@example.org"}
        }
        url = f"http://127.0.0.1:{self._port}/hooks/desk"
        while True:
            try:
                async with session.post(url, json=body, headers={"webhook-id": subject}) as answer:
                    if answer.status == 200:
                        self.acknowledged.append(subject)
                        return
            except aiohttp.ClientError:
                pass  # the service is dead at the moment
            await asyncio.sleep(DESK_PAUSE_SECONDS)

    def _settled(self) -> bool:
        totals = look(self.state, queries.totals)
        return not any(totals[state] for state in OPEN)


@pytest.fixture
async def acd() -> AsyncIterator[Simulator]:
    running = await Simulator.start(Settings())
    # Answers that come late make it likely that a kill hits between creation and answer.
    running.faults.add(
        Fault(
            kind=Kind.LATENCY,
            when=Stage.AFTER_DOING,
            seconds=0.05,
            probability=0.5,
            path="/acd/events/create",
        )
    )
    yield running
    await running.close()


async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, acd: Simulator) -> None:
    """What was answered 200 is exactly one event, in the order of its conversation, after any number of kills."""
    audit = await Ordeal(tmp_path, acd).run(KILLS, lambda _: None)
    assert len(audit.acknowledged) > KILLS
    assert (audit.lost, audit.doubled, audit.out_of_order) == ([], [], [])


async def test_without_reconciliation_the_audit_fails(tmp_path: Path, acd: Simulator) -> None:
    """With the safeguard taken away by hand (what was being sent is simply sent again) events are doubled."""
    audit = await Ordeal(tmp_path, acd).run(max(4, KILLS // 3), _forget_what_was_being_sent)
    assert audit.lost == []
    assert audit.doubled != []


def _forget_what_was_being_sent(state: Path) -> None:
    with closing(sqlite3.connect(state)) as conn, conn:
        conn.execute("UPDATE items SET state = 'pending' WHERE state IN ('sending', 'uncertain')")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
