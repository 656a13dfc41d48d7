"""Who hands things in, and who handles them: a helpdesk, people who write mail, and people who tidy the inbox."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, repeat
from random import Random

import aiohttp

from tests.simulation.mail_folders import Folder, Mail

DESK_PATIENCE_SECONDS = 30.0
DESK_PAUSES = (1.0, 5.0, 60.0, 300.0)
"""Seconds between the tries of a helpdesk; the last one is kept to."""


def moments(dice: Random, number: int, within: float) -> list[float]:
    """When things happen: some together, some alone."""
    heaps = [dice.uniform(0, within) for _ in range(max(1, number // 3))]
    return sorted(min(within, dice.choice(heaps) + dice.expovariate(1 / 20)) for _ in range(number))


@dataclass
class Helpdesk:
    """Posts the tickets of each conversation one after the other; each until it is answered 200."""

    dice: Random
    url: str
    acknowledged: list[str] = field(default_factory=list)

    async def work(self, conversations: list[list[float]]) -> None:
        """Each conversation is a list of the moments at which its tickets are written."""
        timeout = aiohttp.ClientTimeout(total=DESK_PATIENCE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for number, moments_of_one in enumerate(conversations):
                tasks.create_task(self._converse(session, f"t{number}", moments_of_one))

    async def _converse(self, session: aiohttp.ClientSession, name: str, written: list[float]) -> None:
        loop = asyncio.get_running_loop()
        for number, moment in enumerate(written, start=1):
            await asyncio.sleep(max(0.0, moment - loop.time()))
            await self._until_accepted(session, name, number)
            if self.dice.random() < 0.1:
                await self._post(session, name, number)  # once more, as after an answer that was lost

    async def _until_accepted(self, session: aiohttp.ClientSession, name: str, number: int) -> None:
        for pause in chain(DESK_PAUSES, repeat(DESK_PAUSES[-1])):
            if await self._post(session, name, number):
                self.acknowledged.append(f"{name} {number}")
                return
            await asyncio.sleep(pause * self.dice.uniform(0.5, 1))

    async def _post(self, session: aiohttp.ClientSession, name: str, number: int) -> bool:
        label = f"{name} {number}"
        body = {"data": {"number": name, "subject": label, "requestor_email": f"{name}@example.org"}}
        try:
            async with session.post(self.url, json=body, headers={"webhook-id": label}) as answer:
                await answer.read()
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


TWINS = "twins 1"
"""The label of all mails that say the same."""


@dataclass
class Writers:
    """Write mails, several of which may be one conversation, and some that say the same without being one."""

    inbox: Folder
    clock: Callable[[], float]
    dice: Random
    written: list[Mail] = field(default_factory=list)

    async def work(self, conversations: list[list[float]]) -> None:
        """As `Helpdesk.work`."""
        due = sorted(
            (moment, conversation, number)
            for conversation, moments_of_one in enumerate(conversations)
            for number, moment in enumerate(moments_of_one, start=1)
        )
        loop = asyncio.get_running_loop()
        for moment, conversation, number in due:
            await asyncio.sleep(max(0.0, moment - loop.time()))
            self.write(f"m{conversation}", number)

    async def repeat(self, moments_of_all: list[float]) -> None:
        """As machines do that tell of the same thing again: each mail by itself, and all with the same words."""
        loop = asyncio.get_running_loop()
        for number, moment in enumerate(moments_of_all, start=1):
            await asyncio.sleep(max(0.0, moment - loop.time()))
            self._add(Mail(TWINS, _raw("twins", 1, f"twin.{number}"), self.clock()))

    def write(self, name: str, number: int) -> None:
        """One mail comes now."""
        if self.dice.random() < 0.1:
            self.inbox.skip(self.dice.choice((1, 3, 2000)))
        self._add(Mail(f"{name} {number}", _raw(name, number, f"{name}.{number}"), self.clock()))

    def _add(self, mail: Mail) -> None:
        self.written.append(mail)
        self.inbox.add(mail)


def _raw(name: str, number: int, message_id: str) -> bytes:
    lines = [
        f"From: {name}@example.org",
        "To: support@example.net",
        f"Subject: {name} {number}",
        f"Message-ID: <{message_id}@example.org>",
    ]
    if number > 1:
        lines.append(f"References: <{name}.1@example.org>")
    return "\r\n".join([*lines, "", "Hello", ""]).encode()


@dataclass
class Agents:
    """Delete and move mails, and put some of them back, while the bridge is at work.

    A mail of a conversation is left alone until the ACD has told of it, so that order can be judged.
    """

    inbox: Folder
    archive: Folder
    dice: Random
    handled: Callable[[], frozenset[str]]
    """Labels of what the ACD has."""
    alone: frozenset[str]
    """Labels of mails that are a conversation by themselves."""

    async def work(self, until: float, pause: float) -> None:
        """Until this moment, with about this pause."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await asyncio.sleep(self.dice.expovariate(1 / pause))
            self._act()

    def _act(self) -> None:
        handled = self.handled()
        there = [
            uid
            for uid, mail in self.inbox.mails.items()
            if mail.label != TWINS and (mail.label in handled or mail.label in self.alone)
        ]
        if self.archive.mails and self.dice.random() < 0.3:
            self.inbox.add(self.archive.take(self.dice.choice(list(self.archive.mails))))
        elif there:
            mail = self.inbox.take(self.dice.choice(there))
            if self.dice.random() < 0.6:
                self.archive.add(mail)
