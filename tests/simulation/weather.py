"""Bad weather: faults of every part, drawn by the seed, each for a while. What each spell may do is bounded so that the
promises can be kept: an ACD that makes an event after `acd.settle`, or says 500 after it has made one, defeats anybody.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from bridge.acd.simulator.faults import Fault, Kind, Stage

if TYPE_CHECKING:
    from tests.simulation.world import World

Spell = Callable[["World"], AbstractContextManager[object]]

SLOWEST_ACD = 20.0
"""Seconds after which a request is done at the latest."""


@contextmanager
def refused(world: "World", port: int) -> Iterator[None]:
    """Nobody answers at the port, and all connections to it break."""
    world.loop.network.road(port).refused = True
    world.loop.network.cut(port)
    try:
        yield
    finally:
        world.loop.network.road(port).refused = False


@contextmanager
def silent(world: "World", port: int) -> Iterator[None]:
    """All connections to the port go silent for ever, and new ones are not answered."""
    world.loop.network.road(port).silent = True
    world.loop.network.silence(port)
    try:
        yield
    finally:
        world.loop.network.road(port).silent = False


@contextmanager
def slow(world: "World", port: int) -> Iterator[None]:
    """Bytes take up to some seconds."""
    road = world.loop.network.road(port)
    road.slowness = world.dice.choice((5.0, 30.0, 100.0))
    try:
        yield
    finally:
        road.slowness = 1.0


@contextmanager
def breaking(world: "World", port: int) -> Iterator[None]:
    """Connections to the port break at any byte."""
    road = world.loop.network.road(port)
    road.cut_after = world.dice.choice((0.01, 0.1, 0.3))
    try:
        yield
    finally:
        road.cut_after = 0.0


@contextmanager
def half_dead(world: "World", port: int) -> Iterator[None]:
    """What is connected now hears nothing any more; new connections work."""
    world.loop.network.silence(port)
    yield


@contextmanager
def acd_says(world: "World", fault: Fault) -> Iterator[None]:
    """The ACD does something wrong with some of the requests."""
    world.acd.faults.add(fault)
    mine = world.acd.faults._on[-1]
    try:
        yield
    finally:
        world.acd.faults._on = [one for one in world.acd.faults._on if one is not mine]


def acd_cannot(world: "World") -> AbstractContextManager[object]:
    """Answers that ask to come later, with and without the time for it."""
    retry_after = world.dice.choice((None, None, 0, 7, 900, formatdate(world.wall() + 120, usegmt=True)))
    return acd_says(
        world,
        Fault(
            kind=Kind.STATUS,
            status=world.dice.choice((500, 503, 429, 408, 425, 502, 504)),
            retry_after=retry_after,
            body=world.dice.choice(("json", "html", "empty", "nonsense")),
            probability=world.dice.choice((0.2, 0.7, 1.0)),
        ),
    )


def acd_loses_answers(world: "World") -> AbstractContextManager[object]:
    """The event is made, and its answer does not come, or only half of it, or as something else."""
    after = partial(
        Fault, when=Stage.AFTER_DOING, probability=world.dice.choice((0.3, 1.0)), path="/acd/events/create"
    )
    fault = world.dice.choice(
        (
            after(kind=Kind.DROP),
            after(kind=Kind.HALF),
            after(kind=Kind.LATENCY, seconds=40.0),
            after(kind=Kind.STATUS, status=504, body="html"),
            after(kind=Kind.STATUS, status=200, body="html"),
            after(kind=Kind.STATUS, status=200, body="nonsense"),
        )
    )
    return acd_says(world, fault)


def acd_is_slow(world: "World") -> AbstractContextManager[object]:
    """Requests are done late, also those whose connection is gone; yet within `settle` of the bridge's giving up."""
    seconds = world.dice.uniform(0, SLOWEST_ACD)
    return acd_says(world, Fault(kind=Kind.LATENCY, seconds=seconds, probability=0.5))


def acd_answers_late(world: "World") -> AbstractContextManager[object]:
    """Events are made at once, and their answers take their time."""
    seconds, path = world.dice.uniform(0, 20), "/acd/events/create"
    fault = Fault(kind=Kind.LATENCY, when=Stage.AFTER_DOING, seconds=seconds, probability=0.5, path=path)
    return acd_says(world, fault)


def acd_refuses(world: "World") -> AbstractContextManager[object]:
    """Some events are refused; an operator tries them again later."""
    status = world.dice.choice((400, 409, 422))
    return acd_says(world, Fault(kind=Kind.STATUS, status=status, probability=0.3, path="/acd/events/create"))


def acd_knows_nobody(world: "World") -> AbstractContextManager[object]:
    """The token or the address is wrong for a while."""
    status, body = world.dice.choice(((401, "json"), (403, "html"), (404, "empty"), (404, "html")))
    return acd_says(world, Fault(kind=Kind.STATUS, status=status, body=body))  # type: ignore[arg-type] # its words


def acd_list_fails(world: "World") -> AbstractContextManager[object]:
    """Events can be made, and their list cannot be read."""
    status = world.dice.choice((500, 404, 200))
    fault = Fault(kind=Kind.STATUS, status=status, body="nonsense", path="/acd/events", method="GET")
    return acd_says(world, fault)


@contextmanager
def mail_server_restarts(world: "World") -> Iterator[None]:
    """It is gone for a while."""
    world.loop.network.kill(world.mail_owner)
    try:
        yield
    finally:
        world.start_mail_server()


@contextmanager
def mail_server_busy(world: "World") -> Iterator[None]:
    """It answers that it cannot now."""
    world.mail.busy = True
    try:
        yield
    finally:
        world.mail.busy = False


@contextmanager
def mail_server_deaf(world: "World") -> Iterator[None]:
    """Connections that are made now are told of nothing while they idle."""
    world.mail.deafness = 0.5
    try:
        yield
    finally:
        world.mail.deafness = 0.0


@contextmanager
def folder_renumbered(world: "World") -> Iterator[None]:
    """The UIDs of the inbox lose their meaning."""
    world.mail.renumber("INBOX")
    yield


@contextmanager
def bridge_restarted(world: "World") -> Iterator[None]:
    """The bridge is stopped in good order, and started again."""
    world.aside(world.bridge.stop())
    yield


@contextmanager
def bridge_killed(world: "World") -> Iterator[None]:
    """The bridge dies."""
    world.bridge.crash()
    yield


@contextmanager
def bridge_dying(world: "World") -> Iterator[None]:
    """The bridge dies again and again, between any two steps."""
    world.bridge.crash_chance = world.dice.choice((0.005, 0.02, 0.1, 0.5))
    world.bridge.deaths_left = world.dice.randrange(1, 10)
    try:
        yield
    finally:
        world.bridge.deaths_left = 0


@contextmanager
def clock_wrong(world: "World") -> Iterator[None]:
    """The bridge's wall clock is set wrong, and right again later."""
    world.wall.ahead = world.dice.choice((-7200.0, -90.0, -1.0, 1.0, 90.0, 7200.0))
    try:
        yield
    finally:
        world.wall.ahead = 0.0


@contextmanager
def disk_full(world: "World") -> Iterator[None]:
    """The state file cannot grow."""
    world.disk.fill()
    try:
        yield
    finally:
        world.disk.free()


def on_road(spell: Callable[["World", int], AbstractContextManager[object]], end: str) -> Spell:
    """The spell on the way to one of the servers."""

    def cast(world: "World") -> AbstractContextManager[object]:
        return spell(world, world.ports[end])

    cast.__name__ = f"{end} {spell.__name__}"
    return cast


SPELLS: tuple[Spell, ...] = (
    *(on_road(spell, end) for spell in (refused, silent, slow, breaking, half_dead) for end in ("acd", "mail", "desk")),
    acd_cannot,
    acd_cannot,
    acd_loses_answers,
    acd_loses_answers,
    acd_is_slow,
    acd_answers_late,
    acd_refuses,
    acd_knows_nobody,
    acd_list_fails,
    mail_server_restarts,
    mail_server_busy,
    mail_server_deaf,
    folder_renumbered,
    bridge_restarted,
    bridge_killed,
    bridge_killed,
    bridge_dying,
    bridge_dying,
    clock_wrong,
    disk_full,
)  # fmt: skip


@dataclass
class Weather:
    """Spells that come and go; several at a time, each kind once at a time."""

    world: "World"
    spells: tuple[Spell, ...] = SPELLS

    def __post_init__(self) -> None:
        self.cast = 0
        self._on: set[str] = set()

    async def blow(self, until: float, pause: float, longest: float) -> None:
        """Until this moment; spells begin with about this pause, and last up to `longest` seconds."""
        loop, dice = self.world.loop, self.world.dice
        async with asyncio.TaskGroup() as tasks:
            while loop.time() < until:
                await asyncio.sleep(dice.expovariate(1 / pause))
                spell = dice.choice(self.spells)
                lasts = min(until - loop.time(), longest ** dice.random() * dice.uniform(1, 10))
                if spell.__name__ not in self._on and lasts > 0:
                    tasks.create_task(self._hold(spell, lasts))

    async def _hold(self, spell: Spell, seconds: float) -> None:
        self.cast += 1
        self._on.add(spell.__name__)
        self.world.loop.note("spell", spell.__name__, seconds)
        with ExitStack() as stack:
            stack.enter_context(spell(self.world))
            await asyncio.sleep(seconds)
        self._on.discard(spell.__name__)
