"""The application: builds, starts and stops all of it. The whole daemon runs in one process, also in tests."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import structlog

from bridge import __version__
from bridge.accept import Acceptance
from bridge.acd.client import AcdClient
from bridge.acd.directory import Directory
from bridge.closing import Closers
from bridge.config.model import Config
from bridge.delivery.clocks import Clocks
from bridge.delivery.post import Poster
from bridge.delivery.reconciler import Reconciler
from bridge.delivery.retry import Patience
from bridge.delivery.worker import DeliveryWorker
from bridge.errors import StateFileError
from bridge.flood.gate import FloodGate
from bridge.following import Following
from bridge.intake.imap.host_gates import HostGates
from bridge.intake.imap.mailbox import MailboxIntake
from bridge.intake.webhook.server import WebhookServer
from bridge.ledger.ledger import Ledger
from bridge.ledger.pressure import NO_PRESSURE, Bounds, free_bytes, pressure_of, waiting
from bridge.mail_rules import compile_mail_rules
from bridge.metrics import BUILD, INTAKE_PAUSED, OUTBOX_ITEMS, OUTBOX_OLDEST_SECONDS
from bridge.new_item import ItemRules
from bridge.points import Point, passing
from bridge.routing.router import Router
from bridge.same_case import SameCases
from bridge.web.server import AdminServer
from bridge.web.status import Status

log = structlog.get_logger("bridge.app")

INTAKE_HINT = (
    "mail stays on its server and helpdesks are asked to come again; see to the ACD, or free some space"
)
NOT_CLOSED_HINT = (
    "it was killed or crashed, or the power failed; nothing is lost, and mail is read with care at first"
)

STOP_WITHIN_SECONDS = 20.0
"""For everything together; the unit's TimeoutStopSec is longer."""
DRAIN_WITHIN_SECONDS = 15.0
"""For the requests to the ACD that are under way; one that takes longer is looked up at the next start."""
CANCEL_WITHIN_SECONDS = 3.0
"""For parts that are told to end, all mailboxes together."""
FORGET_EVERY_SECONDS = 3600.0
PRESSURE_EVERY_SECONDS = 5.0
TICK_WITHIN_SECONDS = 20.0
"""A loop that has not turned for so long is stuck; systemd's watchdog then restarts the bridge."""
SLOW_WITHIN_SECONDS = 3600.0
"""The same for those whose one reading of a long list may take `acd.timeout` many times over, or who pause for long."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a running application is made of."""

    ledger: Ledger
    worker: DeliveryWorker
    reconciler: Reconciler
    following: Following
    mailboxes: Sequence[MailboxIntake]
    webhooks: WebhookServer | None = None
    admin: AdminServer | None = None


class Application:
    """The running bridge. `start` builds it in the order of the data's way backwards: first where data ends."""

    def __init__(self, config: Config, router: Router) -> None:
        self._config = config
        self._router = router
        self._closers = Closers()
        self._started_at = datetime.now(UTC)
        self._stopping = False
        self._pressure = NO_PRESSURE
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception of a part without which the bridge cannot go on."""
        # It is logged where it happens; at the stop nobody may ask for it any more.
        self.failed.add_done_callback(lambda failed: failed.cancelled() or failed.exception())
        self.parts: Parts

    @classmethod
    async def start(cls, config: Config, router: Router) -> Self:
        """Build and start everything. What was built is taken down again where something fails.

        Raises BridgeError: the state file cannot be used, or a port cannot be had.
        """
        app = cls(config, router)
        try:
            await app._build()
        except BaseException:
            await app.stop()
            raise
        return app

    async def stop(self) -> None:
        """Take no more in, let the requests under way end, close everything. Safe to call twice."""
        passing(Point.STOP_BEGINS)
        self._stopping = True
        await self._closers.close(STOP_WITHIN_SECONDS)
        if not self.failed.done():
            self.failed.cancel()

    async def _build(self) -> None:
        BUILD.info({"version": __version__})
        ledger = await Ledger.open(self._config.state.path)
        self._closers.add("state file", ledger.close)
        if not ledger.closed_before:
            log.warning("not-closed-before", hint=NOT_CLOSED_HINT)
        await self._set_mail_actions(ledger)
        following = Following(self._config, ledger)
        await following.prepare()
        worker, reconciler = await self._build_delivery(ledger, following)
        await self._look_at_pressure(ledger)
        flood = FloodGate(ledger, self._config.flood)
        await flood.remember(round(time.time() * 1000))
        acceptance = Acceptance(
            self._router,
            ledger,
            clock=time.time,
            knock=worker.knock,
            flood=flood,
            pressure=lambda: self._pressure,
            rules=ItemRules(mark=self._config.acd.mark, cases=SameCases(self._config.same_case)),
        )
        self.parts = Parts(
            ledger=ledger, worker=worker, reconciler=reconciler, following=following, mailboxes=()
        )
        self._run("pressure", self._keep_pressure(ledger))
        self._run("retention", self._forget_old(ledger))
        await self._build_webhooks(acceptance)
        self._build_mailboxes(acceptance)
        await self._build_admin()

    async def _set_mail_actions(self, ledger: Ledger) -> None:
        """Before anything is settled, which writes down the action on its mail."""
        wanted = [one for one in self._config.mailbox if one.after_delivery.action != "none"]
        cancelled = await ledger.mail_actions.set_sources(
            [one.name for one in wanted if one.after_delivery.when == "settled"],
            when_done=[one.name for one in wanted if one.after_delivery.when == "done"],
            now=round(time.time() * 1000),
        )
        if cancelled:
            log.warning("mail-actions-cancelled", count=cancelled)

    async def _build_delivery(
        self, ledger: Ledger, following: Following
    ) -> tuple[DeliveryWorker, Reconciler]:
        acd = self._config.acd
        client = AcdClient(acd, token=acd.token.reveal)
        await client.__aenter__()
        self._closers.add("ACD client", partial(client.__aexit__, None, None, None))
        poster = Poster(client, Directory(client, acd.event_types), phone_plus=acd.phone_plus)
        clocks, doubt = Clocks(), asyncio.Event()
        worker = DeliveryWorker(
            ledger,
            poster,
            concurrency=acd.concurrency,
            patience=Patience.of(acd),
            clocks=clocks,
            doubt=doubt,
            rate=acd.rate,
        )
        reconciler = Reconciler(
            ledger, client, poster, acd=acd, clocks=clocks, news=doubt, knock=worker.knock
        )
        for name, work in following.work(client, held_up=lambda: worker.paused is not None):
            self._run(name, work)
        self._run("reconciliation", reconciler.run())
        self._run("delivery", worker.run())
        self._closers.add("requests under way", partial(worker.stop, DRAIN_WITHIN_SECONDS))
        return worker, reconciler

    async def _build_webhooks(self, acceptance: Acceptance) -> None:
        if not self._config.webhook:
            return
        server = WebhookServer(self._config.webhook, self._config.listen, acceptance, clock=time.time)
        self.parts.webhooks = server
        self._closers.add("webhooks", server.close)
        await server.start()

    def _build_mailboxes(self, acceptance: Acceptance) -> None:
        ledger, hosts = self.parts.ledger, HostGates(self._config.mailbox)
        rules, _ = compile_mail_rules(self._config.mail)
        self.parts.mailboxes = [
            MailboxIntake(
                mailbox,
                acceptance,
                actions=ledger.mail_actions,
                hosts=hosts,
                refresh_tokens=ledger.refresh_tokens,
                readings=ledger.readings,
                rules=rules,
            )
            for mailbox in self._config.mailbox
        ]
        tasks = [
            self._begin(f"mailbox {mailbox.name}", intake.run())
            for mailbox, intake in zip(self._config.mailbox, self.parts.mailboxes, strict=True)
        ]
        self._closers.add("mailboxes", partial(_cancel, *tasks))

    async def _build_admin(self) -> None:
        if self._config.listen.admin is None:
            return
        server = AdminServer(self._config.listen.admin, status=self.status, readiness=self.not_ready_because)
        self.parts.admin = server
        self._closers.add("admin pages", server.close)
        await server.start()

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a part as a task of its own, until it is cancelled."""
        self._closers.add(name, partial(_cancel, self._begin(name, work)))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._part_ended)
        return task

    def _part_ended(self, task: "asyncio.Task[None]") -> None:
        """No part ends by itself. One that does would be missed by nobody, so the bridge ends and is started anew."""
        error = None if task.cancelled() else task.exception()
        if self._stopping and error is None:
            return
        how = "was cancelled, and nobody had asked for it" if task.cancelled() else "ended by itself"
        why = error or RuntimeError(f"{task.get_name()} {how}")
        log.error("part-crashed", part=task.get_name(), exc_info=why)
        if not (self._stopping or self.failed.done()):
            self.failed.set_exception(why)

    def alive(self) -> bool:
        """Whether every loop turns; what systemd's watchdog is told."""
        oldest = min((self.parts.worker.ticked_at, *(one.tick for one in self.parts.mailboxes)))
        now = time.monotonic()
        slowest = min(self.parts.reconciler.ticked_at, self.parts.following.ticked_at)
        return now - slowest < SLOW_WITHIN_SECONDS and now - oldest < TICK_WITHIN_SECONDS

    def not_ready_because(self) -> list[str]:
        """Why requests should go elsewhere, in words. Remote outages are none: the bridge is there for those."""
        return ["the bridge is stopping"] if self._stopping else []

    async def _keep_pressure(self, ledger: Ledger) -> None:
        while True:
            await asyncio.sleep(PRESSURE_EVERY_SECONDS)
            await self._look_at_pressure(ledger)

    async def _look_at_pressure(self, ledger: Ledger) -> None:
        """Whether more can be taken in; said once when that changes."""
        state = self._config.state
        try:
            totals, free = await ledger.totals(), free_bytes(state.path)
        except (StateFileError, OSError) as error:
            log.error("pressure-unknown", problem=str(error), hint="look at the state file and its disk")
            return
        before, bounds = self._pressure, Bounds(state.most_open, state.least_free)
        self._pressure = pressure_of(before, waiting=waiting(totals), free=free, bounds=bounds)
        INTAKE_PAUSED.set(bool(self._pressure.live))
        if self._pressure.live and not before.live:
            log.error("intake-paused", problem=self._pressure.live, hint=INTAKE_HINT)
        elif before.live and not self._pressure.live:
            log.info("intake-resumed")

    async def _forget_old(self, ledger: Ledger) -> None:
        """Remove what is old by `state.retention_days` and `duplicates_days`, in small steps, now and every hour."""
        state = self._config.state
        while True:
            try:
                while removed := await ledger.remove_settled(before=_days_ago(state.retention_days)):
                    log.info("old-items-removed", items=removed)
                while removed := await ledger.remove_duplicates(before=_days_ago(state.duplicates_days)):
                    log.info("old-duplicates-removed", duplicates=removed)
                while removed := await ledger.remove_former():
                    log.info("former-places-removed", places=removed)
                await ledger.forget_floods(now=round(time.time() * 1000))
                while await ledger.give_back():
                    pass
            except StateFileError as error:
                log.error("state-file-failed", problem=error.message, hint=error.hint)
            except Exception:
                log.exception("retention-failed", hint="old items stay for another hour; please report it")
            await asyncio.sleep(FORGET_EVERY_SECONDS)

    def _webhooks_status(self) -> list[dict[str, Any]]:
        if self.parts.webhooks is None:
            return []
        return [{"name": name} | counts for name, counts in self.parts.webhooks.status().items()]

    async def status(self) -> Status:
        """How it stands, for the status page; also brings the outbox's metrics up to date."""
        totals = await self.parts.ledger.totals()
        oldest = await self.parts.ledger.oldest_open()
        age = None if oldest is None else max(0.0, time.time() - oldest / 1000)
        follow_up, notices = await self.parts.following.status()
        for state, number in totals.items():
            OUTBOX_ITEMS.labels(state=state).set(number)
        OUTBOX_OLDEST_SECONDS.set(age or 0)
        return Status(
            version=__version__,
            started_at=self._started_at,
            mailboxes=[mailbox.status() for mailbox in self.parts.mailboxes],
            webhooks=self._webhooks_status(),
            items=totals,
            oldest_open_age=age,
            paused=self.parts.worker.paused,
            follow_up=follow_up,
            notices=notices,
        )


def _days_ago(days: int) -> int:
    return round((time.time() - days * 86400) * 1000)


async def _cancel(*tasks: "asyncio.Task[None]") -> None:
    """Cancel all of them and wait, but not for ever: what a frozen server holds up must not cost the drain's time."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL_WITHIN_SECONDS)
