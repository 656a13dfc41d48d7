"""The ways in which an operation fails: for each point of the seam those that are possible there.

Where the real thing can be made to fail, it is: a proxy cuts connections to the mail server, the simulated ACD drops
requests and answers. Elsewhere the point raises what its layer would raise.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType

import aiohttp

from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.acd.simulator.server import Simulator
from bridge.points import Point
from tests.torture.cutting_proxy import Cut, CuttingProxy


class Way(StrEnum):
    """A way to fail."""

    ERROR = "error"  #: what was asked does not reach the other side
    TIME_OUT = "time-out"  #: no answer comes in time
    CUT = "cut"  #: the other side has acted; half of its answer comes
    LOST = "lost"  #: the other side has acted; its answer is lost
    CANCELLED = "cancelled"  #: the operation is cancelled, and nobody has asked for that
    DEFECT = "defect"  #: an exception that nobody expects: a defect of the bridge
    BUSY = "busy"  #: another process keeps the state file locked
    FULL = "full"  #: the disk is full
    IO_ERROR = "io-error"  #: the disk fails


Fail = Callable[[CuttingProxy, Simulator], None]
"""Raises, or makes the other side fail at what comes next."""


def _raise(make: Callable[[], BaseException], _mails: CuttingProxy, _acd: Simulator) -> None:
    raise make()


def _sqlite(code: int, words: str) -> Fail:
    def make() -> sqlite3.OperationalError:
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = code
        return error

    return partial(_raise, make)


def _cut(what: Cut) -> Fail:
    return lambda mails, _: mails.cut_next(what)


def _acd(**fault: object) -> Fail:
    return lambda _, acd: acd.faults.add(Fault.model_validate({"count": 1} | fault))


_CANCELLED = partial(_raise, asyncio.CancelledError)
_TIME_OUT = partial(_raise, TimeoutError)
_BUSY = _sqlite(sqlite3.SQLITE_BUSY, "database is locked")
_FULL = _sqlite(sqlite3.SQLITE_FULL, "database or disk is full")
_IO_ERROR = _sqlite(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error")
_DEFECT = partial(_raise, partial(RuntimeError, "a defect"))
_STEP: Mapping[Way, Fail] = {Way.DEFECT: _DEFECT, Way.CANCELLED: _CANCELLED}

ONLY_KILLED = frozenset({
    Point.ORDER_WRITTEN, Point.HISTORY_READ, Point.RENUMBERED_READ, Point.RENUMBERED_STORED, Point.ACCESS_GRANTED,
    Point.STOP_BEGINS, Point.FILE_CLOSES,
})  # fmt: skip
"""Points that the scenario does not pass, and those where nothing is asked of anybody; the kill test has them all."""

FAULTS: Mapping[Point, Mapping[Way, Fail]] = MappingProxyType(
    {
        Point.FILE_OPENED: {Way.BUSY: _BUSY, Way.FULL: _FULL, Way.IO_ERROR: _IO_ERROR},
        Point.SCHEMA_BEGINS: {Way.BUSY: _BUSY, Way.FULL: _FULL, Way.IO_ERROR: _IO_ERROR},
        Point.READ_BEGINS: {Way.BUSY: _BUSY, Way.IO_ERROR: _IO_ERROR, **_STEP},
        # The writer is a thread, which nobody can cancel.
        Point.WRITE_BEGINS: {Way.BUSY: _BUSY, Way.FULL: _FULL, Way.IO_ERROR: _IO_ERROR, Way.DEFECT: _DEFECT},
        Point.WRITE_DONE: {Way.FULL: _FULL, Way.IO_ERROR: _IO_ERROR},
        Point.WRITE_COMMITTED: {Way.LOST: _IO_ERROR},
        Point.COMMAND_LEAVES: {
            Way.ERROR: _cut(Cut.COMMAND),
            Way.TIME_OUT: _cut(Cut.SILENCE),
            Way.CUT: _cut(Cut.HALF),
            Way.LOST: _cut(Cut.ANSWER),
            Way.CANCELLED: _CANCELLED,
        },
        Point.COMMAND_ANSWERED: _STEP,
        Point.REQUEST_LEAVES: {
            Way.ERROR: _acd(kind=Kind.DROP, when=Stage.BEFORE_READING),
            Way.TIME_OUT: _TIME_OUT,
            Way.CUT: _acd(kind=Kind.HALF),
            Way.LOST: _acd(kind=Kind.DROP, when=Stage.AFTER_DOING),
            Way.CANCELLED: _CANCELLED,
        },
        Point.REQUEST_ANSWERED: {
            Way.ERROR: partial(_raise, partial(aiohttp.ClientPayloadError, "the answer broke off")),
            Way.TIME_OUT: _TIME_OUT,
            **_STEP,
        },
        **dict.fromkeys(
            (
                Point.WINDOW_READ,
                Point.WINDOW_STORED,
                Point.HOOK_BELIEVED,
                Point.HOOK_STORED,
                Point.POST_BEGINS,
                Point.POST_ENDED,
                Point.LIST_READ,
                Point.DOUBTS_RESOLVED,
                Point.ACTIONS_BEGIN,
                Point.ACTIONS_ENDED,
            ),
            _STEP,
        ),
    }
)


class NthFails:
    """Watches the points. The n-th passing of one of them fails in one way; with no `fail` all is only counted."""

    def __init__(
        self, point: Point | None = None, number: int = 0, fail: Callable[[], None] | None = None
    ) -> None:
        self.passed: Counter[Point] = Counter()
        self.fired = False
        self._point = point
        self._number = number
        self._fail = fail

    def __call__(self, point: Point) -> None:
        self.passed[point] += 1
        if self._fail is not None and point is self._point and self.passed[point] == self._number:
            self.fired = True
            self._fail()


@dataclass(frozen=True, slots=True)
class Failing:
    """Which operation fails, and how."""

    point: Point
    way: Way
    number: int

    def watcher(self, mails: CuttingProxy, acd: Simulator) -> NthFails:
        """Who lets it fail."""
        return NthFails(self.point, self.number, partial(FAULTS[self.point][self.way], mails, acd))

    def __str__(self) -> str:
        return f"{self.point}-{self.number}-{self.way}"
