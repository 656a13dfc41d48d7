"""What goes on after an event is posted: its follow-up in the ACD, and notices of its end. The app runs it."""

import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog

from bridge.acd.client import AcdClient
from bridge.config.model import Config
from bridge.delivery.clocks import Clocks
from bridge.delivery.follower import Follower
from bridge.ledger.follow_ups import FollowedRoute
from bridge.ledger.ledger import Ledger
from bridge.metrics import FOLLOW_UP_LATE_SECONDS, FOLLOW_UPS_WAITING, NOTICES_WAITING
from bridge.notify.notice import LONGEST_WAIT
from bridge.notify.notifier import Notifier

log = structlog.get_logger("bridge.app")

Row = dict[str, Any]


class Following:
    """The follower, where a route follows its events, and a notifier for each receiver."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._follower: Follower | None = None
        self._notifiers = [Notifier(one, ledger.notices) for one in config.notify]

    async def prepare(self) -> None:
        """Write down which routes are followed. Before anything is settled, whose event may be one of them.

        Raises StateFileError.
        """
        now, terms = round(time.time() * 1000), self._config.follow_up
        cancelled = await self._ledger.follow_ups.set_routes(
            [FollowedRoute(route=one.name, notify=one.notify) for one in self._config.route if one.follow_up],
            first=round(terms.first * 1000),
            longest=round(terms.cap * 1000),
            now=now,
        )
        if cancelled:
            log.warning("follow-ups-cancelled", count=cancelled)
        cancelled = await self._ledger.notices.set_targets(
            [one.name for one in self._config.notify], longest=round(LONGEST_WAIT * 1000), now=now
        )
        if cancelled:
            log.warning("notices-cancelled", count=cancelled)

    def work(
        self, client: AcdClient, held_up: Callable[[], bool]
    ) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What is to be run, each with its name. `held_up` tells whether nothing can be posted at the moment."""
        if any(route.follow_up for route in self._config.route):
            self._follower = Follower(
                self._ledger,
                client,
                acd=self._config.acd,
                terms=self._config.follow_up,
                clocks=Clocks(),
                held_up=held_up,
            )
            yield "follow-up", self._follower.run()
        for wanted, notifier in zip(self._config.notify, self._notifiers, strict=True):
            yield f"notify {wanted.name}", notifier.run()

    @property
    def ticked_at(self) -> float:
        """When the slowest of them last turned, on the monotonic clock; for the watchdog."""
        ticks = [one.ticked_at for one in self._notifiers]
        if self._follower is not None:
            ticks.append(self._follower.ticked_at)
        return min(ticks, default=time.monotonic())

    async def status(self) -> tuple[list[Row], list[Row]]:
        """A row of what is followed, and a row for each receiver; also brings their metrics up to date."""
        found, waiting = await self._ledger.follow_ups.totals(), await self._ledger.notices.waiting()
        late = 0.0 if found.next_due is None else max(0.0, time.time() - found.next_due / 1000)
        FOLLOW_UPS_WAITING.set(found.waiting)
        FOLLOW_UP_LATE_SECONDS.set(late)
        receivers: list[Row] = [
            {"name": one.name, "waiting": waiting.get(one.name, 0)} for one in self._config.notify
        ]
        for one in receivers:
            NOTICES_WAITING.labels(notify=one["name"]).set(one["waiting"])
        followed = [] if self._follower is None else [{"followed": found.waiting, "late_seconds": late}]
        return followed, receivers
