"""One run: a bridge, an ACD, a mail server and a helpdesk in one simulated network, in bad weather.

`run(plan)` is a function of its plan alone, and leaves nothing behind in this process.
"""

import asyncio
import gc
import random
import tempfile
from collections.abc import Coroutine, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn
from unittest.mock import patch

import structlog

from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.delivery.ready import LEAST_AHEAD
from bridge.ledger import operating, queries
from bridge.ledger.item import ItemFilter
from bridge.ledger.state import OPEN, ItemState
from bridge.ledger.visit import change, look
from bridge.routing.compile import compile_routes
from tests.simulation.bridge_process import BridgeProcess
from tests.simulation.clock import WallClock, clocks
from tests.simulation.loop import SimLoop
from tests.simulation.mail_folders import Folder, Mail
from tests.simulation.mail_server import CAPABILITIES, MailServer
from tests.simulation.outcome import Outcome, judged, rows_of, uncounted
from tests.simulation.owner import OWNER
from tests.simulation.people import Agents, Helpdesk, Writers
from tests.simulation.plan import DESK_PORT, HOUR, Plan
from tests.simulation.state_file import Disk
from tests.simulation.weather import Weather
from tests.torture.auditor import Done

CALM_WITHIN = 24 * HOUR
"""After the bad weather everything must have come to its end within this time."""
LOOK_AT_PEACE = 120.0
"""Seconds between two looks whether it has."""
MOST_CONNECTIONS = 100
OUR_FAULT = frozenset(
    {
        "close-failed",
        "delivery-crashed",
        "doubt-unresolvable",
        "mail-unaccounted",
        "part-crashed",
        "route-crashed",
        "unexpected",
        "webhook-connection-failed",
        "webhook-failed",
    }
)
"""Events of the log that no weather excuses."""


def run(plan: Plan) -> Outcome:
    """Run it, and judge."""
    loop = SimLoop(plan.seed)
    state, collecting = random.getstate(), gc.isenabled()
    random.seed(plan.seed)
    # What is only found by the collector would end at an instant that no seed knows.
    gc.disable()
    with tempfile.TemporaryDirectory(dir=_quick_disk()) as folder:
        try:
            world = World(loop, plan, Path(folder))
            with world.installed():
                return loop.run_until_complete(world.run())
        finally:
            loop.close()
            random.setstate(state)
            if collecting:
                gc.enable()


def _quick_disk() -> str | None:
    """A file system in memory, where there is one."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


class World:
    """Everybody, and the ways between them."""

    def __init__(self, loop: SimLoop, plan: Plan, folder: Path) -> None:
        self.loop = loop
        self.plan = plan
        self.dice = Random(f"world {plan.seed}")
        self.wall = WallClock(loop.time)
        self.disk = Disk()
        self.mail = MailServer(loop, self._capabilities())
        self.mail_owner = "mail server"
        self.ports: dict[str, int] = {"desk": DESK_PORT}
        self.done: list[Done] = []
        """What the ACD did, in its order."""
        self.acd: Simulator
        self.bridge: BridgeProcess
        self._folder = folder
        self._weather = Weather(self, plan.spells)
        self._faults: list[str] = []
        self._again: set[str] = set()
        """Labels of what the operator had tried again."""
        self._old: list[Mail] = []
        self._asides: set[asyncio.Task[Any]] = set()
        self._desk = Helpdesk(self._dice("desk"), f"http://127.0.0.1:{DESK_PORT}/hooks/desk")
        self._writers = Writers(self.inbox, self.wall.true, self._dice("writers"))

    @property
    def inbox(self) -> Folder:
        """The folder that the bridge watches."""
        return self.mail.folders["INBOX"]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Clocks, disk and log are this world's."""
        before = structlog.get_config()
        with ExitStack() as stack:
            stack.enter_context(clocks(self.loop.time, self.wall))
            stack.enter_context(self.disk.below())
            for name, seconds in self.plan.pauses().items():
                stack.enter_context(patch(name, seconds))
            structlog.configure(
                processors=[self._heard],
                wrapper_class=structlog.make_filtering_bound_logger(20),
                cache_logger_on_first_use=False,
            )
            stack.callback(lambda: structlog.configure(**before))
            yield

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it be done while others go on."""
        task = self.loop.create_task(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    def start_mail_server(self) -> None:
        """As a process of its own."""
        self.mail_owner += "'"
        self.loop.begin(self.mail.start(), owner=self.mail_owner)

    async def run(self) -> Outcome:
        """From the first start to the audit."""
        await self._set_up()
        with self.bridge.dying_at_points():
            running = self.loop.create_task(self.bridge.keep_running())
            await self._first_look()
            await self._live()
            await self._come_to_rest()
            await self.bridge.stop(for_good=True)
            await running
        outcome = self._outcome()
        await self.acd.close()
        await self.loop.clear_up()
        return outcome

    async def _set_up(self) -> None:
        settings = Settings(seed=self.plan.seed)
        self.acd = await self.loop.begin(Simulator.start(settings, clock=self.wall.true), owner="acd")
        self.ports["acd"] = int(self.acd.url.rpartition(":")[2])
        self._watch_acd()
        for number in range(self.dice.randrange(4)):
            self._old.append(Mail(f"old {number}", b"Subject: old %d\r\n\r\n" % number, self.wall() - HOUR))
            self.inbox.add(self._old[-1])
        await self.loop.begin(self.mail.start(), owner=self.mail_owner)
        self.ports["mail"] = self.mail.port
        config = self.plan.config(
            self.dice, self._folder, acd_url=self.acd.url, token=settings.token, mail_port=self.mail.port
        )
        router, problems = compile_routes(config.route, zone=config.acd.zone())
        assert problems == []
        self.bridge = BridgeProcess(self.loop, config, router, self.disk)

    def _watch_acd(self) -> None:
        create = self.acd.store.create

        def noted(fields: dict[str, Any], raw: bytes) -> Any:
            event, updated = create(fields, raw)
            self.loop.note("event", event.number, fields["Subject"], updated)
            self.done.append(Done(fields["Subject"], event.number, created=not updated))
            return event, updated

        setattr(self.acd.store, "create", noted)  # noqa: B010 - types do not allow to assign to a method

    async def _first_look(self) -> None:
        """The weather is good until the inbox has its baseline and one mail has its event.

        What comes before is old mail, and before the first event of our own only our clock tells when that was.
        """
        while self.bridge.app is None or not self._look(queries.cursors):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(self.dice.random())
        self._writers.write("first", 1)
        while not self._look(queries.totals)[ItemState.CREATED]:  # noqa: ASYNC110 - the same
            await asyncio.sleep(self.dice.random())

    async def _live(self) -> None:
        """Everybody does what they do."""
        plan, begin = self.plan, self.loop.time()
        end = begin + plan.seconds
        agents = Agents(self.inbox, Folder("Archive"), self._dice("agents"), self._handled, plan.alone)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._desk.work(plan.moments(plan.tickets, self.dice, begin)))
            tasks.create_task(self._writers.work(plan.moments(plan.mails, self.dice, begin)))
            tasks.create_task(self._writers.repeat(plan.moments_of_twins(begin)))
            tasks.create_task(agents.work(end, plan.seconds / 10))
            pause = self.dice.uniform(0.01, 0.1) * plan.seconds
            tasks.create_task(self._weather.blow(end, pause, plan.seconds / 4))
            tasks.create_task(self._watch_memory(end))

    async def _come_to_rest(self) -> None:
        """The weather is good again; an operator sees to what was refused or held."""
        end = self.loop.time() + CALM_WITHIN
        while self.loop.time() < end:
            await asyncio.sleep(LOOK_AT_PEACE)
            if not self._operate() and self._at_rest():
                return

    def _operate(self) -> bool:
        """Try dead letters again, and let go what was held; whether there was any."""
        wanted = ItemFilter(states=frozenset({ItemState.DEAD, ItemState.HELD}), limit=10_000)
        waiting = self._look(partial(queries.items, wanted=wanted))
        if self.bridge.app is None or not waiting:
            return False
        self._again.update(str(item.message.get("subject", "")) for item in waiting)
        now = round(self.wall() * 1000)
        for state, work in ((ItemState.DEAD, operating.retry), (ItemState.HELD, operating.release)):
            keys = [item.key for item in waiting if item.state is state]
            change(self._state, partial(work, keys=keys, now=now))
        return True

    def _at_rest(self) -> bool:
        totals = self._look(queries.totals)
        return not any(totals[state] for state in OPEN) and not uncounted(self._state, self.inbox)

    async def _watch_memory(self, until: float) -> None:
        """What the running bridge keeps in memory is bounded, however long the ACD is away."""
        while self.loop.time() < until:
            await asyncio.sleep(self.plan.seconds / 50)
            if self.bridge.app is None:
                continue
            worker = self.bridge.app.parts.worker
            most = 3 * worker._concurrency
            kept = {
                "claimed ahead": (len(worker._ready), LEAST_AHEAD + worker._concurrency),
                "answers": (len(worker._ended), most),
                "requests": (len(worker._under_way), most),
                "connections": (self.loop.network.connections(), MOST_CONNECTIONS),
            }
            self._faults += [
                f"too many {name}: {number}" for name, (number, most) in kept.items() if number > most
            ]

    def _outcome(self) -> Outcome:
        known = {row.label for row in rows_of(self._state)}
        there = {id(mail) for folder in self.mail.folders.values() for mail in folder.mails.values()}
        written = self._writers.written
        # A mail that somebody took away may have gone unseen.
        mails = [mail.label for mail in written if id(mail) in there or mail.label in known]
        handed_in = [*self._desk.acknowledged, *mails]
        return Outcome(
            seed=self.plan.seed,
            findings=judged(handed_in, self.done, self._state, self.inbox, self._again),
            faults=(*self._faults, *self._flooded(), *self.bridge.failures, *self.loop.failures),
            digest=self.loop.digest,
            hours=self.loop.time() / HOUR,
            messages=len(self._desk.acknowledged) + len(written),
            crashes=self.bridge.crashes,
            starts=self.bridge.starts,
            spells=self._weather.cast,
        )

    def _flooded(self) -> list[str]:
        old = {mail.label for mail in self._old}
        return [f"old mail was posted: {one.label}" for one in self.done if one.label in old]

    def _heard(self, _: object, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        """A line of the log; those of a process that is dead were never written."""
        if OWNER.get() not in self.loop.network.dead:
            name = str(event["event"])
            self.loop.note("log", level, name, event.get("key"), event.get("reason"), event.get("count"))
            if name in OUR_FAULT:
                words = ", ".join(f"{key}={value}" for key, value in event.items())
                self._faults.append(words)
        raise structlog.DropEvent

    def _handled(self) -> frozenset[str]:
        return frozenset(one.label for one in self.done)

    def _capabilities(self) -> Sequence[str]:
        return (CAPABILITIES[0], *(one for one in CAPABILITIES[1:] if self.dice.random() < 0.8))

    def _dice(self, whose: str) -> Random:
        return Random(f"{whose} {self.plan.seed}")

    @property
    def _state(self) -> Path:
        return self._folder / "state.db"

    def _look(self, function: Any) -> Any:
        return look(self._state, function)
