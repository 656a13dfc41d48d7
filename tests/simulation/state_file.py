"""The ledger without threads: its writer's steps are taken by the loop, and a crash cuts it off."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from bridge.ledger.file import ServiceLock
from bridge.ledger.ledger import Ledger
from bridge.ledger.writer import Writer
from tests.simulation.loop import SimLoop

T = TypeVar("T")


class Disk:
    """The disk below the state file."""

    def __init__(self) -> None:
        self.full = False
        self._ledgers: list[SimLedger] = []
        self._writers: list[SimWriter] = []

    def fill(self) -> None:
        """No file grows any more; SQLite says so itself."""
        self.full = True
        for writer in self._writers:
            writer.limit()

    def free(self) -> None:
        """There is room again."""
        self.full = False
        for writer in self._writers:
            writer.limit()

    def cut(self) -> None:
        """What had the file open is gone: nothing uncommitted stays, and the lock is free, as the system has it."""
        for ledger in self._ledgers:
            ledger.cut()
        for writer in self._writers:
            writer.cut()
        self._ledgers.clear()
        self._writers.clear()

    @contextmanager
    def below(self, ledger: str = "bridge.app.Ledger") -> Iterator[None]:
        """Let the application's ledger work on this disk."""

        def make_writer(path: Path) -> SimWriter:
            self._writers.append(SimWriter(path, self))
            return self._writers[-1]

        def note(one: SimLedger) -> None:
            self._ledgers.append(one)

        made = type("NotedLedger", (SimLedger,), {"noted": staticmethod(note)})
        with patch(ledger, made), patch("bridge.ledger.ledger.Writer", make_writer):
            yield


class SimLedger(Ledger):
    """The real ledger, which can be cut off."""

    noted: Callable[["SimLedger"], None]

    def __init__(self, path: Path, lock: ServiceLock, writer: Writer, reader: sqlite3.Connection) -> None:
        super().__init__(path, lock, writer, reader)
        self.noted(self)

    def cut(self) -> None:
        """The process is gone."""
        self._reader.close()
        self._lock.release()


class SimWriter(Writer):
    """The real writer, whose steps the loop takes: some waiting writes share one, as with a thread."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._disk = disk
        self._over = False
        super().__init__(path)
        # What a power cut would lose is not simulated; the transactions are the same.
        self._conn.execute("PRAGMA synchronous = OFF")
        self.limit()

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """See `Writer.write`."""
        loop = self._loop
        assert isinstance(loop, SimLoop)
        loop.call_later(loop.random.uniform(0, 0.002), self._take_step)
        return await super().write(function)

    def limit(self) -> None:
        """Let the file be as large as the disk has it."""
        if self._over:
            return
        pages = self._conn.execute("PRAGMA page_count").fetchone()[0] if self._disk.full else 2**30
        self._conn.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    def cut(self) -> None:
        """The process is gone."""
        self._closed = self._over = True
        self._conn.close()

    def _begin(self) -> None:
        """There is nothing to begin."""

    async def _ended(self) -> None:
        if not self._over:
            self._over = True
            self._run()

    def _take_step(self) -> None:
        if not self._over and not self._jobs.empty():
            self._step()

    def _commit(self, batch: Any) -> None:
        self._loop.note("write", len(batch))  # type: ignore[attr-defined] # it is the simulation's loop
        super()._commit(batch)
