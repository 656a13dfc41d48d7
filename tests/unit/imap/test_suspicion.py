"""A mail that ends the process: found, then taken with the least of its header, or passed by. The ends are played."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bridge.accept import Acceptance
from bridge.config.mailbox import Mailbox
from bridge.config.route import Route
from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.intake.imap import take_in
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.suspicion import BARE_FROM, NOT_AT_ALL_FROM, Way, narrowed, noted, way_for
from bridge.intake.imap.sync import Window
from bridge.intake.imap.take_in import NO_DATE
from bridge.intake.mail.bare import MAX_LINE, bare_header
from bridge.intake.mail.read import read_mail
from bridge.ledger import queries
from bridge.ledger.item import Item, ItemFilter
from bridge.ledger.ledger import Ledger
from bridge.ledger.readings import Reading
from bridge.ledger.visit import look
from bridge.message import Message
from bridge.new_item import conversation_of
from bridge.routing.compile import compile_routes
from tests.unit.imap.model_folder import Mail, ModelConnection, ModelFolder

MAILBOX = Mailbox.model_validate(
    {"name": "support", "host": "mail.example.org", "username": "u", "password": "p"}
)
ROUTE = Route.model_validate({"name": "all", "event": {"type": 5, "group": 1}})
LATER = 4_000_000_000.0


class Died(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize(
    ("first", "last", "tries", "way"),
    [
        (7, 7, 1, Way.WHOLE),
        (7, 7, 2, Way.WHOLE),
        (7, 7, BARE_FROM, Way.BARE),
        (7, 7, NOT_AT_ALL_FROM, Way.NOT_AT_ALL),
        (7, 7, 99, Way.NOT_AT_ALL),
        (7, 8, 99, Way.WHOLE),
    ],
)
def test_ways(first: int, last: int, tries: int, way: Way) -> None:
    """Only a single mail is read otherwise, and only after it was being read at two ends."""
    assert way_for(Reading(1, first, last, tries)) is way


@pytest.mark.parametrize(
    ("uids", "suspected", "uids_read", "through"),
    [
        (range(1, 11), None, [*range(1, 11)], 10),
        (range(1, 11), Reading(9, 4, 6, 1), [*range(1, 11)], 10),
        (range(1, 11), Reading(1, 4, 6, 1), [1, 2, 3], 3),
        (range(4, 11), Reading(1, 4, 6, 1), [4], 4),
        ([5, 9], Reading(1, 4, 6, 1), [5], 5),
        ([3, 9], Reading(1, 4, 6, 1), [3], 3),
        ([6], Reading(1, 4, 6, 1), [6], 10),
        ([7, 9], Reading(1, 4, 6, 1), [7, 9], 10),
        ([], Reading(1, 4, 6, 1), [], 10),
    ],
)
def test_suspects_are_read_alone(
    uids: Any, suspected: Reading | None, uids_read: list[int], through: int
) -> None:
    """Suspected mails are read one by one, those before and behind them as ever; other numberings do not count."""
    window = narrowed(Window(uids, 10), suspected, 1)
    assert (list(window.uids), window.through) == (uids_read, through)


def test_only_what_was_being_read_is_counted() -> None:
    """A try counts where it is of the suspected mails; any other window begins at one."""
    suspected = Reading(1, 4, 6, 2)
    assert noted(Window([5], 5), suspected, 1) == Reading(1, 5, 5, 3)
    assert noted(Window([7], 7), suspected, 1) == Reading(1, 7, 7, 1)
    assert noted(Window([5], 5), suspected, 2) == Reading(2, 5, 5, 1)
    assert noted(Window([1, 9], 9), None, 1) == Reading(1, 1, 9, 1)


def test_the_least_of_a_header() -> None:
    """A few fields, the first of each, cut and plain; everything else is gone."""
    header = (
        b"Received: x\r\n y\r\nFROM: =?utf-8?q?Anna?= <a@e.org>\r\nSubject: one\xff\x00\r\n\tfolded\r\n"
        b"Subject: two\r\nDate: " + b"9" * 5000 + b"\r\nno colon\r\n\r\n"
    )
    bare = bare_header(header)
    assert bare.startswith(b"FROM: =?utf-8?q?Anna?= <a@e.org>\r\nSubject: one??\r\nDate: 999")
    assert bare.endswith(b"\r\n\r\n")
    assert b"folded" not in bare
    assert max(map(len, bare.split(b"\r\n"))) == MAX_LINE
    assert bare_header(b"") == b"\r\n"


def test_the_least_of_a_header_keeps_the_conversation() -> None:
    """A mail that ended the bridge, or only came while it was killed, does not overtake what it answers."""
    header = (
        b"Received: x\r\nReferences: <first@e.org>\r\n <second@e.org>\r\nMessage-ID: <third@e.org>\r\n\r\n"
    )
    whole, bare = (
        read_mail(one, source="s", folder="f", uidvalidity=1, uid=1, size=1, internaldate=NO_DATE)
        for one in (header, bare_header(header))
    )
    assert conversation_of(bare, "s") == conversation_of(whole, "s") == "thread first@e.org"


async def no_room(*_incoming: Any, **_more: Any) -> Any:
    raise StateFileError("the disk is full")


class House:
    """A folder, and a bridge that is started again after each end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.db"
        self.folder = ModelFolder()
        self.deaths = 0
        self.full = False
        """Whether the state file takes no mail, and the process ends after it was tried."""

    def deliver(self, *names: str, header: bytes = b"") -> None:
        for name in names:
            mail = Mail.made(name, LATER)
            self.folder.add(Mail(header + mail.header, mail.came))

    async def start(self, then: Callable[[FolderWatch, Connection], Any] | None = None) -> None:
        """One life: as long as it goes well, or up to its death."""
        ledger = await Ledger.open(self.path)
        router, _ = compile_routes([ROUTE])
        handover = Acceptance(router, ledger, clock=lambda: 1_800_000_000.0, knock=lambda: None)
        if self.full:
            handover.accept = no_room  # type: ignore[method-assign] # only for this life
        watch = FolderWatch(MAILBOX, "INBOX", handover, readings=ledger.readings)
        connection = cast("Connection", ModelConnection(self.folder))
        try:
            with suppress(MailServerError):  # a folder that was numbered anew must be seen twice
                await watch.look(connection)
            connection = cast("Connection", ModelConnection(self.folder))
            await watch.look(connection)
            if then is not None:
                await then(watch, connection)
        except (Died, StateFileError):
            self.deaths += 1
            ledger._reader.close()
            await ledger._writer.close()
            ledger._lock.release()
        else:
            await ledger.close()

    async def live_on(self, starts: int = 12) -> None:
        """As systemd does: start again after each death, so many times at the most."""
        for _ in range(starts):
            before = self.deaths
            await self.start()
            if self.deaths == before:
                return
        raise AssertionError(f"died {self.deaths} times and is not alive")

    def items(self) -> list[Item]:
        return look(self.path, lambda conn: queries.items(conn, ItemFilter(limit=10_000)))[::-1]

    def subjects(self) -> list[str]:
        return [item.message.get("subject", "") for item in self.items()]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A header with this field ends the process when it is read."""

    def deadly(header: bytes, **more: Any) -> Message:
        if b"X-Deadly" in header:
            raise Died
        return read_mail(header, **more)

    monkeypatch.setattr(take_in, "read_mail", deadly)
    return House(tmp_path)


async def test_a_deadly_mail_is_an_event_in_the_end(house: House) -> None:
    """One among many is found within few ends, becomes a degraded event, and all others are whole."""
    await house.start()
    house.deliver(*(f"mail-{number}" for number in range(40)))
    house.deliver("deadly", header=b"X-Deadly: 1\r\n")
    house.deliver(*(f"mail-{number}" for number in range(40, 80)))
    with capture_logs() as lines:
        await house.live_on()
    assert house.deaths <= 4
    assert sorted(house.subjects()) == sorted(["deadly", *(f"mail-{number}" for number in range(80))])
    degraded = [item for item in house.items() if item.message.get("degraded")]
    assert [item.message["subject"] for item in degraded] == ["deadly"]
    assert "ended the bridge" in degraded[0].message["notes"][-1]
    assert degraded[0].state == "pending"
    assert [line["uid"] for line in lines if line["event"] == "mail-ended-the-bridge"] == [41]


async def test_a_single_deadly_mail_takes_three_ends(house: House) -> None:
    """One that comes alone: unseen, noted, noted again, then taken with the least of its header."""
    await house.start()
    house.deliver("deadly", header=b"X-Deadly: 1\r\n")
    await house.live_on()
    assert (house.deaths, house.subjects()) == (3, ["deadly"])


async def test_one_that_is_deadly_in_every_way_is_put_aside(house: House) -> None:
    """Where even its subject ends the process, it is not read at all: quarantined by its place."""
    await house.start()
    house.deliver("X-Deadly")
    house.deliver("next")
    await house.live_on()
    first, second = house.items()
    assert (first.state, first.place) == ("quarantined", "INBOX/1/1")
    assert "ended the bridge several times" in first.detail
    assert second.message["subject"] == "next"


async def test_it_is_the_same_mail_after_a_renumbering(house: House) -> None:
    """Its key is that of its whole header: where the folder is numbered anew it is found again, and known."""
    await house.start()
    house.deliver("a", "b")
    house.deliver("deadly", header=b"X-Deadly: 1\r\n")
    await house.live_on()
    house.folder.renumber(Random(2))
    house.deaths = 0
    for _ in range(12):
        before = house.deaths
        await house.start()
        if house.deaths == before:
            break
    assert sorted(house.subjects()) == ["a", "b", "deadly"]


async def test_old_mail_is_deadly_too(house: House) -> None:
    """History has a note of its own: a deadly old mail is found behind the live ones."""
    house.deliver("old-1", "old-2")
    house.deliver("deadly", header=b"X-Deadly: 1\r\n")
    house.deliver("old-3")

    async def go_back(watch: FolderWatch, connection: Connection) -> None:
        order = HistoryOrder(
            source="support", folder="INBOX", since=None, uids=None, uidvalidity=1, next_uid=1, last_uid=4
        )
        if await watch._handover.order("support", "INBOX") is None:
            await watch._handover.put_order(order)
        while await watch.go_back(connection):
            pass

    for _ in range(8):
        before = house.deaths
        await house.start(go_back)
        if house.deaths == before:
            break
    assert house.subjects() == ["old-1", "old-2", "deadly", "old-3"]
    assert house.deaths == 3


async def test_nothing_is_noted_where_the_end_was_in_order(house: House) -> None:
    """After a start that follows an orderly end nothing is written before mails are read."""
    await house.start()
    house.deliver("a")
    noted_before: list[object] = []

    async def note(watch: FolderWatch, _: Connection) -> None:
        noted_before.append(watch._reader.suspects)

    await house.start(note)
    assert noted_before == [False]


async def test_a_full_disk_makes_no_mail_suspect(house: House) -> None:
    """A mail was read well, and only the state file did not take it: whatever ends the process then, it did not."""
    await house.start()
    house.deliver("mail-1", "mail-2")
    house.full = True
    for _ in range(6):
        await house.start()
    house.full = False
    await house.live_on()
    assert house.deaths == 6
    assert house.subjects() == ["mail-1", "mail-2"]
    assert not any(item.message.get("degraded") for item in house.items())


async def test_ends_of_another_cause_cost_nobody_anything(house: House) -> None:
    """However often the process is killed between its looks, no mail is suspected for it."""
    for number in range(6):
        house.deliver(f"mail-{number}")

        async def die(watch: FolderWatch, _: Connection) -> None:
            assert not watch._reader.suspects
            raise Died

        await house.start(die)
    assert house.deaths == 6
    assert not any(item.message.get("degraded") for item in house.items())
