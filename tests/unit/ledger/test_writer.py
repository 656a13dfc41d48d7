import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from bridge.errors import StateFileError, StateFileGoneError
from bridge.ledger import queries
from bridge.ledger.ledger import Ledger
from bridge.ledger.visit import look
from bridge.ledger.writer import Writer
from tests.unit.ledger.making import created, new_item


async def test_a_write_is_on_disk_when_its_caller_goes_on(path: Path) -> None:
    """Another connection sees the row as soon as the wait is over."""
    writer = Writer(path)
    await writer.write(lambda conn: conn.execute("INSERT INTO totals VALUES ('x', 1)").rowcount)
    other = sqlite3.connect(path)
    assert other.execute("SELECT items FROM totals").fetchone() == (1,)
    other.close()
    await writer.close()


async def test_one_failing_write_takes_none_of_the_others_with_it(path: Path) -> None:
    """Writes that share a transaction fail or succeed each for itself."""
    writer = Writer(path)
    gate = threading.Event()

    def insert(state: str) -> "asyncio.Future[int]":
        return asyncio.ensure_future(
            writer.write(lambda conn: conn.execute("INSERT INTO totals VALUES (?, 1)", (state,)).rowcount)
        )

    def fail(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO totals VALUES ('lost', 1)")
        raise ValueError("mine alone")

    blocked = asyncio.ensure_future(writer.write(lambda _: gate.wait(5)))
    good, bad, also_good = insert("a"), asyncio.ensure_future(writer.write(fail)), insert("b")
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(blocked, good, bad, also_good, return_exceptions=True)
    assert results[1] == 1
    assert results[3] == 1
    assert isinstance(results[2], ValueError)
    states = await writer.write(lambda conn: [row[0] for row in conn.execute("SELECT state FROM totals")])
    assert states == ["a", "b"]
    await writer.close()


async def test_a_write_that_runs_out_of_something_is_told_like_any_other(path: Path) -> None:
    """A StopIteration, which no future takes, is its caller's error, and who shares its transaction is answered."""
    writer = Writer(path)
    gate = threading.Event()
    blocked = asyncio.ensure_future(writer.write(lambda _: gate.wait(5)))
    bad = asyncio.ensure_future(writer.write(lambda _: next(iter(()))))
    behind = asyncio.ensure_future(writer.write(lambda _: "done"))
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(5):
        results = await asyncio.gather(blocked, bad, behind, return_exceptions=True)
    assert isinstance(results[1], RuntimeError)
    assert isinstance(results[1].__cause__, StopIteration)
    assert results[2] == "done"
    await writer.close()


async def test_sqlites_errors_reach_the_caller_in_plain_words(path: Path) -> None:
    """A full disk (here: a page limit) is a StateFileError that says so, and the writer goes on."""
    writer = Writer(path)
    pages = await writer.write(lambda conn: conn.execute("PRAGMA page_count").fetchone()[0])
    await writer.write(lambda conn: conn.execute(f"PRAGMA max_page_count = {pages}").fetchone()[0])
    with pytest.raises(StateFileError, match="disk is full"):
        await writer.write(lambda conn: conn.execute("INSERT INTO totals VALUES (hex(zeroblob(99999)), 1)"))
    await writer.write(lambda conn: conn.execute("PRAGMA max_page_count = 100000").fetchone()[0])
    assert await writer.write(lambda conn: conn.execute("INSERT INTO totals VALUES ('x', 1)").rowcount) == 1
    await writer.close()


async def test_closing_finishes_what_waits_and_refuses_what_comes_later(path: Path) -> None:
    """Nothing handed in before the close is lost; afterwards the error says why."""
    writer = Writer(path)
    waiting = asyncio.ensure_future(
        writer.write(lambda conn: conn.execute("INSERT INTO totals VALUES ('x', 1)").rowcount)
    )
    await asyncio.sleep(0)
    await writer.close()
    assert await waiting == 1
    with pytest.raises(StateFileError, match="closed"):
        await writer.write(queries.totals)
    await writer.close()


async def test_a_cancelled_caller_does_not_stop_the_writer(path: Path) -> None:
    """A wait that is given up neither undoes the write nor hurts the next one."""
    writer = Writer(path)
    gate = threading.Event()
    waiting = asyncio.ensure_future(writer.write(lambda _: gate.wait(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await writer.write(queries.totals))["pending"] == 0
    await writer.close()


async def test_the_ledger_goes_the_whole_way_of_an_item(path: Path) -> None:
    """Accepted, claimed, settled: each step is seen by the next, and by the questions about it."""
    ledger = await Ledger.open(path)
    await ledger.accept([new_item("a")], None, now=10)
    assert await ledger.next_due() == 10
    assert await ledger.oldest_open() == 10
    (item,) = await ledger.turn([], 1, now=10)
    assert await ledger.turn([(item, created(5))], 0, now=11) == []
    totals = await ledger.totals()
    assert totals["created"] == 1
    assert await ledger.oldest_open() is None
    assert await ledger.recover(now=12) == 0
    assert await ledger.cursor("support", "INBOX") is None
    await ledger.close()


async def test_a_state_file_in_use_is_refused_and_the_lock_given_back(path: Path) -> None:
    """A ledger that cannot be opened leaves no lock behind."""
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StateFileError):
        await Ledger.open(path)
    path.unlink()
    ledger = await Ledger.open(path)
    await ledger.close()


async def test_after_closing_the_file_alone_is_whole(path: Path) -> None:
    """Nothing stays in a WAL that a restored backup would be mixed with, or that a plain copy would miss."""
    ledger = await Ledger.open(path)
    await ledger.accept([new_item("a")], None, now=10)
    assert await ledger.oldest_open() == 10
    await ledger.close()
    assert sorted(one.name for one in path.parent.iterdir()) == ["state.db", "state.db-lock"]
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert look(copy, queries.totals)["pending"] == 1


async def test_a_state_file_that_was_removed_is_noticed(path: Path) -> None:
    """What is written into a removed file is lost at the next start; so nothing is accepted any more."""
    ledger = await Ledger.open(path)
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StateFileGoneError, match="removed or replaced"):
        await ledger.accept([new_item("a")], None, now=10)
    path.write_bytes(b"")
    with pytest.raises(StateFileGoneError):
        await ledger.accept([new_item("a")], None, now=10)
    await ledger.close()


async def test_each_caller_gets_an_exception_of_its_own(path: Path) -> None:
    """Two tasks that fail together do not show each other's places in the log."""
    writer = Writer(path)
    path.rename(path.with_name("moved.db"))
    first, second = await asyncio.gather(
        writer.write(queries.totals), writer.write(queries.totals), return_exceptions=True
    )
    assert isinstance(first, StateFileGoneError)
    assert isinstance(second, StateFileGoneError)
    assert first is not second
    await writer.close()


async def test_only_the_owner_can_read_the_state_file(path: Path) -> None:
    """It holds addresses and subjects."""
    ledger = await Ledger.open(path)
    await ledger.accept([new_item("a")], None, now=10)
    modes = {
        one.name: one.stat().st_mode & 0o077 for one in path.parent.iterdir() if one.name != "state.db-lock"
    }
    assert set(modes.values()) == {0}, modes
    await ledger.close()


async def test_the_running_writer_writes_for_power_cuts(path: Path) -> None:
    """The connection that commits has WAL and synchronous=FULL (2), also after a file that was opened otherwise."""
    other = sqlite3.connect(path)
    other.execute("PRAGMA synchronous = OFF")
    other.close()
    writer = Writer(path)
    names = ("journal_mode", "synchronous")
    settings = await writer.write(
        lambda conn: [conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    )
    assert settings == ["wal", 2]
    await writer.close()
