"""The one writer: a thread with a queue, where everything that waits shares a transaction and its fsync."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bridge.errors import StateFileError, StateFileGoneError
from bridge.ledger.file import explained, open_for_writing
from bridge.points import Point, passing

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], Any]

MOST_IN_A_TRANSACTION = 256
"""Bounds the time that the first of a batch waits for the last."""


@dataclass(slots=True)
class _Job:
    write: Write
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs write functions one after the other on one connection.

    Each function runs in a savepoint of its own: one that fails takes nothing of the others with it. A caller
    gets its result only after the commit, when it is on disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._conn = open_for_writing(path)
        self._identity = _identity_of(path)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._begin()

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run the function in a transaction, and return its result once that is on disk.

        Raises StateFileError. Cancelling the wait does not cancel the write.
        """
        if self._closed:
            raise StateFileError("the state file is closed", hint="the service is stopping")
        job = _Job(function, self._loop.create_future())
        self._jobs.put(job)
        return await job.future  # type: ignore[no-any-return] # the future is made for this function's result

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await self._ended()

    def _begin(self) -> None:
        """Begin the work. A simulation, which has no threads, takes `_step` after `_step` in its loop instead."""
        self._thread.start()

    async def _ended(self) -> None:
        """Wait until everything is done and the file is closed."""
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while self._step():
            pass
        self._conn.close()

    def _step(self) -> bool:
        """Wait for something to do, and do it with what waits by then; whether more may come."""
        first = self._jobs.get()
        if first is None:
            return False
        batch, last = self._take(first)
        self._commit(batch)
        self._loop.call_soon_threadsafe(_tell, batch)
        return not last

    def _take(self, first: _Job) -> tuple[list[_Job], bool]:
        """What waits by now, and whether the closing mark was among it."""
        batch = [first]
        while len(batch) < MOST_IN_A_TRANSACTION:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        try:
            with explained(self._path):
                passing(Point.WRITE_BEGINS)
                self._check_still_there()
                self._conn.execute("BEGIN IMMEDIATE")
                for job in batch:
                    self._perform(job)
                passing(Point.WRITE_DONE)
                self._conn.execute("COMMIT")
                passing(Point.WRITE_COMMITTED)
        except BaseException as error:  # noqa: BLE001 - whatever it is, every caller must hear of it
            for job in batch:
                job.error = job.error or _own_copy(error)
            self._roll_back()

    def _check_still_there(self) -> None:
        """SQLite writes on into a file that was removed, and everything is gone at the next start."""
        if _identity_of(self._path) != self._identity:
            raise StateFileGoneError(
                f"the state file {str(self._path)!r} was removed or replaced while the service works on it",
                hint="put the right file back, and start the service again",
            )

    def _perform(self, job: _Job) -> None:
        self._conn.execute("SAVEPOINT job")
        try:
            with explained(self._path):
                job.result = job.write(self._conn)
        except Exception as error:
            job.error = _tellable(error)
            if not self._conn.in_transaction:
                raise  # SQLite rolled everything back by itself, as it does on a full disk
            self._conn.execute("ROLLBACK TO job")
        self._conn.execute("RELEASE job")

    def _roll_back(self) -> None:
        # The callers hear of the first error; a second one of a failing disk must not end the thread.
        with contextlib.suppress(sqlite3.Error):
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    return there.st_dev, there.st_ino


def _tellable(error: Exception) -> Exception:
    """A future refuses StopIteration: whoever stands behind it in the batch would never hear of his write."""
    if not isinstance(error, StopIteration):
        return error
    told = RuntimeError("a write function raised StopIteration")
    told.__cause__ = error
    return told


def _own_copy(error: BaseException) -> BaseException:
    """One exception object in several tasks would show the places of all of them in each log."""
    if not isinstance(error, StateFileError):
        return error
    copy = type(error)(error.message, hint=error.hint)
    copy.__cause__ = error
    return copy


def _tell(batch: list[_Job]) -> None:
    for job in batch:
        if job.future.done():
            continue  # the caller was cancelled meanwhile
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
