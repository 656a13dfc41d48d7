"""Helpdesks that post tickets and do not give up: each message is sent again until it is answered 200."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bridge.acd.simulator.server import Simulator
from tests.torture.auditor import Done
from tests.wait import until

PAUSE_SECONDS = 0.02
"""Between two tries."""
TRY_SECONDS = 10.0
"""A machine that was cut off may leave a try without any answer."""


@dataclass
class Desks:
    """All of them post to one address. Subjects are the labels that `tests.torture.auditor` reads."""

    url: str
    acknowledged: list[str] = field(default_factory=list)
    """The subjects that were answered 200, in that order."""

    @asynccontextmanager
    async def working(self, desks: int, *, patient: bool = True) -> AsyncIterator[None]:
        """So many post meanwhile, message after message. If patient, each ends with the one that it is at."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._post(self._conversation(), stop)) for _ in range(desks)]
            yield
            stop.set()
            for task in tasks:
                if not patient:
                    task.cancel()

    async def went_on(self, by: int = 1, within: float = 30.0) -> None:
        """Wait until so many more are answered 200."""
        before = len(self.acknowledged)
        await until(lambda: len(self.acknowledged) >= before + by, within=within)

    async def _post(self, conversation: str, stop: asyncio.Event) -> None:
        number = 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TRY_SECONDS)) as session:
            while not stop.is_set():
                number += 1
                label = f"{conversation} {number}"
                await self._until_accepted(session, label)
                self.acknowledged.append(label)

    async def _until_accepted(self, session: aiohttp.ClientSession, label: str) -> None:
        data = {"number": label.split(maxsplit=1)[0], "subject": label, "requestor_email": "a@example.org"}
        while True:
            try:
                async with session.post(
                    self.url, json={"data": data}, headers={"webhook-id": label}
                ) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # nobody is there at the moment
            await asyncio.sleep(PAUSE_SECONDS)

    _opened: int = 0

    def _conversation(self) -> str:
        self._opened += 1
        return f"c{self._opened}"


def done_by(acd: Simulator) -> list[Done]:
    """What the ACD did, for the auditor. The group must be one that makes an event of everything."""
    return [Done(event["Subject"], event["ID"]) for event in acd.events]
