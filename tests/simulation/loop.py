"""A deterministic event loop: it never waits, has no sockets and no threads, and one seed gives one run.

Time stands still while anything can run and then jumps to the next timer. Which of the tasks that can run goes first
is drawn by the seed; plain callbacks keep their order, which asyncio promises. Where nothing can run and no timer is
set, the run hangs for ever, and that is an error.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from hashlib import sha256
from random import Random
from typing import Any, TypeVar, cast

from tests.simulation.network import Listening, Network
from tests.simulation.owner import OWNER, owner_of

T = TypeVar("T")

LONGEST_BESIDE_SECONDS = 0.002
"""How long work in a thread takes at the most."""


class Deadlock(AssertionError):  # noqa: N818 - the name says what happened
    """Everybody waits for somebody else."""


class SimTask(asyncio.Task[Any]):
    """A task that knows which one it is and whose."""

    number: int
    owner: str


class SimLoop(asyncio.BaseEventLoop):
    """The loop, with its clock, its dice, its network and the trace of what happened."""

    # Inner lists of asyncio.BaseEventLoop, the same in Python 3.11 to 3.13.
    _ready: deque[Any]
    _scheduled: list[Any]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self.failures: list[str] = []
        """What asyncio could only tell its exception handler."""
        self.network = Network(self)
        self._now = 0.0
        self._selector = self
        self._tasks: list[SimTask] = []
        self._made = 0
        self._trace = sha256()
        self.set_task_factory(cast("Any", self._make_task))
        self.set_exception_handler(self._keep_failure)

    @property
    def digest(self) -> str:
        """What was noted so far, in short: two runs of one digest did the same."""
        return self._trace.hexdigest()

    def note(self, *what: object) -> None:
        """Put something that happened into the trace."""
        self._trace.update(f"{self._now!r} {what!r}\n".encode())

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def owned_by(self, owner: str) -> list[SimTask]:
        """The tasks of a process that have not ended."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return [task for task in self._tasks if task.owner == owner]

    async def clear_up(self) -> None:
        """End whatever still runs, but for the task that asks for it."""
        while left := [
            task for task in self._tasks if not task.done() and task is not asyncio.current_task()
        ]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)

    def begin(self, work: Coroutine[Any, Any, T], *, owner: str, name: str = "") -> "asyncio.Task[T]":
        """Start a task as a process of its own: all that it begins belongs to it."""
        context = Context()
        context.run(OWNER.set, owner)
        return self.create_task(work, name=name or owner, context=context)

    # What asyncio.BaseEventLoop asks of its selector, and of its subclasses.

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Do not wait: be at the next timer instead."""
        if timeout is None:
            raise Deadlock(f"nothing can run any more at {self._now:.3f} s")
        if timeout > 0:
            self._now = max(self._now, self._scheduled[0].when())
        return []

    def _process_events(self, _: object) -> None:
        """There are none: all that comes from outside is a timer."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def _run_once(self) -> None:
        self._mix()
        self._catch_up()
        super()._run_once()  # type: ignore[misc] # an inner method of asyncio's, the same in 3.11 to 3.13

    def _catch_up(self) -> None:
        """Be at a timer that asyncio runs within the clock's resolution before its time.

        Else somebody who waits for the rest of that time would wait for ever: here no time goes by in between.
        """
        next_at = self._scheduled[0].when() if self._scheduled else self._now
        if next_at < self._now + self._clock_resolution:  # type: ignore[attr-defined] # an inner name of asyncio's
            self._now = max(self._now, next_at)

    def _mix(self) -> None:
        """Draw the order of the tasks that can run, from an order that does not depend on addresses in memory."""
        if len(self._ready) < 2:
            return
        places = [at for at, handle in enumerate(self._ready) if _task_of(handle) is not None]
        steps = sorted((self._ready[at] for at in places), key=_number_of)
        self.random.shuffle(steps)
        for at, step in zip(places, steps, strict=True):
            self._ready[at] = step

    def _make_task(self, _: object, work: Coroutine[Any, Any, Any], **more: Any) -> SimTask:
        context: Context | None = more.get("context")
        task = SimTask(work, loop=self, **more)
        self._made += 1
        task.number = self._made
        task.owner = OWNER.get() if context is None else owner_of(context)
        self._tasks.append(task)
        if len(self._tasks) > 1000:
            self._tasks = [one for one in self._tasks if not one.done()]
        return task

    def _keep_failure(self, _: object, told: dict[str, Any]) -> None:
        self.failures.append(f"{told.get('message')}: {told.get('exception')!r}")

    # What the code under simulation asks of its loop.

    def run_in_executor(  # type: ignore[override] # which executor makes no difference here
        self, _: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Work in a thread: a little later, in one go."""
        future: asyncio.Future[Any] = self.create_future()
        self.call_later(self.random.uniform(0, LONGEST_BESIDE_SECONDS), _perform, future, func, args)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Every name is this machine."""
        return self.network.addresses(str(host), int(port))

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Reach an address; `create_connection` then makes the connection."""
        await self.network.dial(sock, int(address[1]))

    async def create_connection(  # type: ignore[override] # of the many options those that are used
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        _host: str | None = None,
        port: int | None = None,
        *,
        sock: Any = None,
        **_: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect in memory."""
        if sock is not None:
            return self.network.join(self.network.dialled(sock), protocol_factory)
        assert port is not None
        await self.network.reach(port)
        return self.network.join(port, protocol_factory)

    async def create_server(  # type: ignore[override] # of the many options those that are used
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        _host: Any = None,
        port: int | None = None,
        **_: Any,
    ) -> Listening:
        """Listen in memory."""
        return self.network.listen(port or 0, protocol_factory)


def _task_of(handle: Any) -> SimTask | None:
    owner = getattr(handle._callback, "__self__", None)
    return owner if isinstance(owner, SimTask) else None


def _number_of(handle: Any) -> int:
    task = _task_of(handle)
    return 0 if task is None else task.number


def _perform(future: "asyncio.Future[Any]", work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if future.cancelled():
        return  # a thread that had not begun
    try:
        future.set_result(work(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
        future.set_exception(error)
