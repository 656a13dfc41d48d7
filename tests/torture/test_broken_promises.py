"""With one promise broken on purpose the auditor finds what it must: a torture test that cannot fail proves nothing."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.ledger import outbox
from bridge.ledger.item import Claimed, NewItem, Settlement, Stored
from bridge.ledger.ledger import Ledger
from bridge.points import Point, watching
from tests.torture.auditor import Findings
from tests.torture.scenario import USER, Round, at_last, between, embedded, hurry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Round]:
    async with embedded() as server, between(tmp_path, server, USER) as playing:
        yield playing


async def test_without_reconciliation_events_are_doubled(one: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is uncertain is posted again without a look into the ACD's list: one message has two events."""
    monkeypatch.setattr("bridge.delivery.reconciler.find_events", lambda *_: ([], []))
    findings = await one.play()
    assert len(findings.doubled) == 1
    assert findings.lost == ()


async def test_a_cursor_before_its_items_loses_mail(one: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor is on disk before the items, and the disk is full in between: the mail is never read again."""
    real = Ledger.accept
    full = ["mail 2"]

    async def cursor_first(
        ledger: Ledger, items: Sequence[NewItem], cursor: FolderCursor | HistoryOrder | None, **others: Any
    ) -> list[Stored]:
        if not items or not isinstance(cursor, FolderCursor):
            return await real(ledger, items, cursor, **others)
        await real(ledger, [], cursor, now=others["now"])
        if items[0].message["subject"] in full:
            full.clear()
            raise StateFileError("the disk is full")
        return await real(ledger, items, None, **others)

    monkeypatch.setattr(Ledger, "accept", cursor_first)
    findings = await one.play(within=4)
    assert full == []
    assert findings.lost == findings.unaccounted == ("mail 2",)
    assert any(words.startswith("a mail up to the cursor has no place") for words in findings.broken)


class PowerCut:
    """Watches the points. From the moment a request has been answered nothing gets to the disk any more."""

    def __init__(self) -> None:
        self.is_dark = False

    def __call__(self, point: Point) -> None:
        self.is_dark = self.is_dark or point is Point.POST_ENDED
        if self.is_dark and point is Point.WRITE_BEGINS:
            raise sqlite3.OperationalError("disk I/O error")


async def post_and_cut(one: Round) -> Findings:
    """The power goes between the ACD's answer and its being written down; then the application is started again."""
    cut = PowerCut()
    async with aiohttp.ClientSession() as session:
        with watching(cut):
            async with one.service.running():
                await one.hand_in(session, "plain 1")
                await at_last(lambda: cut.is_dark)
        async with one.service.running():
            await at_last(one.is_over)
    return await one.findings()


@pytest.fixture
def undrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut waits for nothing."""
    monkeypatch.setattr("bridge.app.DRAIN_WITHIN_SECONDS", 0.05)


@pytest.mark.usefixtures("undrained")
async def test_a_power_cut_after_the_answer_doubles_nothing(one: Round) -> None:
    """The attempt is on disk, so the next start knows that the event may exist, and finds it."""
    assert not await post_and_cut(one)


@pytest.mark.usefixtures("undrained")
async def test_without_write_ahead_events_are_doubled(one: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt is written down with its outcome only: after a power cut the item is posted as one that was not."""
    claim, settle, recover = outbox.claim, outbox.settle, outbox.recover
    in_memory: set[int] = set()

    def claim_in_memory(conn: sqlite3.Connection, limit: int, *others: Any) -> list[Claimed]:
        claimed = [item for item in claim(conn, limit, *others) if item.id not in in_memory]
        outbox.take_back(conn, claimed)
        in_memory.update(item.id for item in claimed)
        return claimed

    def settle_late(
        conn: sqlite3.Connection, settled: Sequence[tuple[Claimed, Settlement]], now: int
    ) -> None:
        claim(conn, len(settled), now)
        settle(conn, settled, now)

    def recover_without_memory(conn: sqlite3.Connection, now: int) -> int:
        in_memory.clear()
        return recover(conn, now)

    monkeypatch.setattr(outbox, "claim", claim_in_memory)
    monkeypatch.setattr(outbox, "settle", settle_late)
    monkeypatch.setattr(outbox, "recover", recover_without_memory)
    findings = await post_and_cut(one)
    assert findings.doubled == ("plain 1",)
