import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from bridge.ledger.ledger import Ledger
from tests.wait import until


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_the_file_is_not_closed_under_a_cancelled_reading(tmp_path: Path, times: int) -> None:
    """Whoever waits for a reading may be cancelled; its thread ends before the connection is closed.

    One whose time was over is cancelled for the second time where the bridge stops just then.
    """
    ledger = await Ledger.open(tmp_path / "state.db")
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(5)
        conn.execute("SELECT 1").fetchone()
        ended.set()

    reading = asyncio.create_task(ledger._read(slow))
    await until(begun.is_set)
    for _ in range(times):
        reading.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
    closing = asyncio.create_task(ledger.close())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await closing
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await reading
