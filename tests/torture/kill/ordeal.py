"""One ordeal: a service that is killed again and again while messages are handed in, then left to finish, then
audited.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.torture.auditor import Findings
from tests.torture.kill import evidence
from tests.torture.kill.fate import RENUMBERED, STOP, Fate
from tests.torture.kill.lives import Life, forked, started
from tests.torture.kill.senders import Handed, Helpdesk, Postman
from tests.torture.kill.victim import Breach, Death
from tests.torture.kill.world import World
from tests.wait import until

TICKETS_A_LIFE = 8
MAILS_A_LIFE = 2
LOAD_AGAIN_SECONDS = 0.3
"""A life that goes on for so long gets as much again to do."""
LIFE_SECONDS = 5.0
"""After which a life is killed that has not passed the point at which it was to die."""
ANSWER_SECONDS = 30.0
SETTLE_SECONDS = 60.0
KILLED = -signal.SIGKILL


@dataclass(slots=True)
class Outcome:
    """What came of an ordeal."""

    kills: Counter[str] = field(default_factory=Counter)
    """By point, or by how else it came."""
    lives: int = 0
    messages: int = 0
    updates: int = 0
    """How many times the ACD changed an event in place of making one."""
    findings: Findings = field(default_factory=Findings)


class Ordeal:
    """One service in one world."""

    def __init__(self, world: World, breach: Breach | None = None) -> None:
        self._world = world
        self._breach = breach
        self._command = ["run", "--config", str(world.config)]
        self._handed = Handed()
        self._desk = Helpdesk(world.hook, self._handed)
        host = world.host
        self._postman = None if host is None else Postman(host.dovecot, world.user, self._handed)
        self._outcome = Outcome()

    async def run(self, fates: Sequence[Fate]) -> Outcome:
        """Live every fate, then finish and audit."""
        try:
            return await self._run(fates)
        finally:
            if self._postman:
                await asyncio.to_thread(self._postman.leave)

    async def _run(self, fates: Sequence[Fate]) -> Outcome:
        if self._postman:
            await asyncio.to_thread(self._postman.make_folders)
        desk = asyncio.create_task(self._desk.run())
        try:
            for fate in fates:
                await self._live(fate)
                await asyncio.to_thread(evidence.check_ledger, self._world.state, str(fate))
            await self._finish(desk)
        finally:
            desk.cancel()
        found = await asyncio.to_thread(evidence.audited, self._world, self._handed.labels, self._postman)
        updates = sum(not one.created for one in self._world.done)
        return replace(self._outcome, messages=len(self._handed.labels), updates=updates, findings=found)

    async def _live(self, fate: Fate) -> None:
        accepted = self._handed.tickets
        if self._postman and fate.point in RENUMBERED:
            await asyncio.to_thread(self._postman.renumber)
        life = await self._begin(fate)
        ended = asyncio.create_task(life.wait())
        load = asyncio.create_task(self._load(ended))
        try:
            if fate.plain or fate.point in STOP:
                await until(lambda: self._handed.tickets > accepted, within=ANSWER_SECONDS)
            if fate.point in STOP:
                life.terminate()
            await asyncio.wait({ended}, timeout=LIFE_SECONDS if fate.point else fate.seconds)
            died = str(fate) if ended.done() or fate.point is None else f"{fate} not reached"
        finally:
            if not ended.done():
                life.kill()
            code = await ended
            await load
        assert code == KILLED, f"{fate}: exit code {code}\n{self._end_of_log()}"
        self._outcome.kills[died] += 1

    async def _begin(self, fate: Fate) -> Life:
        self._outcome.lives += 1
        if fate.plain:
            return await started(self._command, self._world.log)
        death = None if fate.point is None else Death(fate.point, fate.nth)
        return forked(self._command, self._world.log, death=death, breach=self._breach)

    async def _load(self, ended: "asyncio.Task[int]") -> None:
        """Hand in some messages, and again, as long as the life lasts."""
        while not ended.done():
            self._desk.want(TICKETS_A_LIFE)
            await asyncio.to_thread(self._deliver)
            await asyncio.wait({ended}, timeout=LOAD_AGAIN_SECONDS)

    def _deliver(self) -> None:
        """What comes before the baseline is old mail, which new mail of its conversation may overtake; so none does."""
        if self._postman and evidence.is_watched(self._world.state):
            self._postman.deliver(MAILS_A_LIFE)

    async def _finish(self, desk: "asyncio.Task[None]") -> None:
        """The last life: nothing fails any more, everything gets its time, and the service stops in order."""
        self._world.acd.faults.clear()
        self._desk.finish()
        life = await self._begin(Fate())
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await desk
            uidnext = await asyncio.to_thread(self._postman.uidnext) if self._postman else None
            await until(lambda: evidence.settled(self._world.state, uidnext), within=SETTLE_SECONDS)
            life.terminate()
            code = await life.wait()
        finally:
            life.kill()
        assert code == 0, f"the stop ended with {code}\n{self._end_of_log()}"

    def _end_of_log(self) -> str:
        return self._world.log.read_text()[-4000:]
