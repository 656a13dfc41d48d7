"""Those who hand in: a helpdesk that repeats what is not answered, and a mail server's deliveries."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bridge.intake.imap.renumbered import MAX_UNKNOWN
from tests.dovecot import Dovecot

TICKETS = 8
"""Conversations of the helpdesk; every fourth is for a group that makes no duplicate events."""
MAILS = 6
"""Conversations by mail; every second comes by APPEND, the others by a delivery agent."""
OLD_MAILS = 4
"""Conversations of two mails each that are there before the first start."""
MOST_IN_THE_INBOX = MAX_UNKNOWN // 2
"""Where more than twice as many are new in a folder that was numbered anew, the bridge holds them and asks."""
RETRY_SECONDS = 0.02
"""Between two tries of the helpdesk."""
DONE = "Done"
"""The folder to which mails go after delivery."""


@dataclass(slots=True)
class Handed:
    """The labels of what was handed in for good, in the order of its conversation."""

    labels: list[str] = field(default_factory=list)
    tickets: int = 0
    """How many of them the service has answered with 200."""


class Helpdesk:
    """Sends ticket after ticket as it is asked to, those of a conversation one after the other."""

    def __init__(self, url: str, handed: Handed) -> None:
        self._url = url
        self._handed = handed
        self._wanted = asyncio.Semaphore(0)
        self._no_more = False

    def want(self, tickets: int) -> None:
        """Ask for so many more."""
        for _ in range(tickets):
            self._wanted.release()

    def finish(self) -> None:
        """Let `run` end when everything that was begun is accepted."""
        self._no_more = True
        self.want(TICKETS)

    async def run(self) -> None:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for conversation in range(TICKETS):
                group.create_task(self._talk(session, conversation))

    async def _talk(self, session: aiohttp.ClientSession, conversation: int) -> None:
        number = 0
        while True:
            await self._wanted.acquire()
            if self._no_more:
                return
            number += 1
            await self._until_accepted(session, f"t{conversation}", number)

    async def _until_accepted(self, session: aiohttp.ClientSession, conversation: str, number: int) -> None:
        label = f"{conversation} {number}"
        body = {
            "data": {
                "number": conversation,
                "subject": label,
                "requestor_email": "a@example.org",
                "group": "Support" if int(conversation[1:]) % 4 else "Billing",
            }
        }
        while True:
            if await self._accepts(session, label, body):
                break
            await asyncio.sleep(RETRY_SECONDS)
        self._handed.labels.append(label)
        self._handed.tickets += 1

    async def _accepts(self, session: aiohttp.ClientSession, label: str, body: object) -> bool:
        try:
            async with session.post(self._url, json=body, headers={"webhook-id": label}) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False  # the service is dead at the moment


class Postman:
    """Delivers mails into one inbox. Its calls block; what is delivered, is on the mail server for good."""

    def __init__(self, dovecot: Dovecot, user: str, handed: Handed) -> None:
        self._dovecot = dovecot
        self._user = user
        self._handed = handed
        self._client = dovecot.client(user)
        self._round = _rounds()

    def make_folders(self) -> None:
        """The target of `after_delivery`, and some mails that are there before the first start."""
        _ok(self._client.create(DONE))
        for number in (1, 2):
            for conversation in range(OLD_MAILS):
                self._append(f"o{conversation}", number)

    def deliver(self, mails: int) -> None:
        """Deliver so many more, but where the inbox is full."""
        if self._status("MESSAGES") >= MOST_IN_THE_INBOX:
            return
        for _ in range(mails):
            conversation, number = next(self._round)
            if conversation % 2:
                self._append(f"m{conversation}", number)
            else:
                self._drop(f"m{conversation}", number)

    def uidnext(self) -> int:
        """The UID that the next mail of the inbox will get. Gives UIDs to all that was delivered."""
        return self._status("UIDNEXT")

    def renumber(self) -> None:
        """Let the mail server lose the files that hold the inbox's UIDs, so that it numbers all of them anew."""
        old = self._status("UIDVALIDITY")
        while self._status("UIDVALIDITY") == old:
            # Dovecot makes a UIDVALIDITY from the second. A connection that is just ending may write the old one back.
            time.sleep(max(0.0, old + 1 - time.time()))
            self.leave()
            self._dovecot.forget_uids(self._user)
            self._client = self._dovecot.client(self._user)

    def _status(self, item: str) -> int:
        (answer,) = _ok(self._client.status("INBOX", f"({item})"))
        return int(answer.rstrip(b")").rpartition(b" ")[2])

    def labels_in(self, folder: str) -> list[str]:
        """The labels of a folder's mails."""
        (exist,) = _ok(self._client.select(folder, readonly=True))
        if exist == b"0":
            return []  # no sequence set stands for no mail (RFC 9051 section 9)
        parts = _ok(self._client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        return [
            part[1].decode().removeprefix("Subject: ").strip() for part in parts if isinstance(part, tuple)
        ]

    def leave(self) -> None:
        """Sign out."""
        self._client.logout()

    def _append(self, conversation: str, number: int) -> None:
        raw = _mail(conversation, number)
        _ok(self._client.append("INBOX", "", "", raw))
        self._handed.labels.append(f"{conversation} {number}")

    def _drop(self, conversation: str, number: int) -> None:
        self._dovecot.drop(self._user, _mail(conversation, number))
        # Dovecot numbers what it finds together as it likes; so this one is numbered before the next one comes.
        self.uidnext()
        self._handed.labels.append(f"{conversation} {number}")


def _ok(command: tuple[str, list[Any]]) -> list[Any]:
    """The answer to a command; a mail that was refused would not be lost, but never delivered."""
    status, answer = command
    assert status == "OK", answer
    return answer


def _rounds() -> Iterator[tuple[int, int]]:
    number = 0
    while True:
        number += 1
        for conversation in range(MAILS):
            yield conversation, number


def _mail(conversation: str, number: int) -> bytes:
    thread = f"References: <{conversation}.1@example.org>\r\n" if number > 1 else ""
    return (
        f"From: {conversation}@example.org\r\nTo: support@example.net\r\nSubject: {conversation} {number}\r\n"
        f"Message-ID: <{conversation}.{number}@example.org>\r\n{thread}\r\nHello\r\n"
    ).encode()
