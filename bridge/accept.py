"""Acceptance: what came in is routed, becomes an item, and is on disk before anybody is told so.

The middle of the way of the data: intake -> `accept` -> `new_item` (routing) -> ledger, and a knock at the delivery.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from bridge.config.flood import Flood
from bridge.cursor import FolderCursor
from bridge.flood.gate import FloodGate
from bridge.history import HistoryOrder
from bridge.intake.handover import Incoming, Receipt
from bridge.ledger.item import NewItem, Stored
from bridge.ledger.ledger import Ledger
from bridge.ledger.places import place_of
from bridge.ledger.pressure import NO_PRESSURE, Pressure
from bridge.ledger.state import OPEN, ItemState
from bridge.message import Message, Noticed
from bridge.metrics import ITEMS_ACCEPTED
from bridge.new_item import PLAIN, ItemRules, item_key, new_item, put_aside
from bridge.reason import Reason
from bridge.routing.router import Router

log = structlog.get_logger("bridge.accept")


class Acceptance:
    """The real `bridge.intake.handover.Handover`."""

    def __init__(
        self,
        router: Router,
        ledger: Ledger,
        *,
        clock: Callable[[], float],
        knock: Callable[[], None],
        flood: FloodGate | None = None,
        pressure: Callable[[], Pressure] = lambda: NO_PRESSURE,
        rules: ItemRules = PLAIN,
    ) -> None:
        self._router = router
        self._flood = flood or FloodGate(ledger, Flood())
        self._ledger = ledger
        self._clock = clock
        self._knock = knock
        self._pressure = pressure
        self._rules = rules

    def wants_text(self, message: Message) -> bool:
        """Whether routing needs the message's text."""
        return self._router.wants_text(message)

    async def accept(
        self,
        incoming: Sequence[Incoming],
        cursor: FolderCursor | HistoryOrder | None = None,
        *,
        noticed: Noticed = Noticed.LOOK,
        set_aside: Reason = Reason.NONE,
    ) -> list[Receipt]:
        """Route and store; see `Handover.accept`."""
        self._pressure().check(history=isinstance(cursor, HistoryOrder))
        routed = [put_aside(new_item(one, self._router, self._rules, noticed), set_aside) for one in incoming]
        items, stored = await self._flood.store(routed, cursor, round(self._clock() * 1000))
        self._tell(items, stored)
        return [Receipt(key=one.key, state=one.state, new=one.new) for one in stored]

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """How far the folder was read."""
        return await self._ledger.cursor(source, folder)

    async def order(self, source: str, folder: str) -> HistoryOrder | None:
        """Which old mail of the folder is to be read."""
        return await self._ledger.order(source, folder)

    async def put_order(self, order: HistoryOrder) -> None:
        """Write such an order down."""
        await self._ledger.put_order(order, now=round(self._clock() * 1000))

    async def recognise(self, incoming: Sequence[Incoming]) -> list[str]:
        """Which of these are known; see `Handover.recognise`."""
        places = [
            place_of(one.source, one.place, item_key(one.source, one.digest, one.folder)) for one in incoming
        ]
        known = [place for place in places if place is not None]
        states = iter(await self._ledger.recognise(known, now=round(self._clock() * 1000)))
        return ["" if place is None else next(states) for place in places]

    async def uids_of(
        self, source: str, folder: str, uidvalidity: int, digests: Sequence[str]
    ) -> list[list[int]]:
        """Where mails were found; see `Handover.uids_of`."""
        keys = [item_key(source, digest, folder) for digest in digests]
        return await self._ledger.uids_of(source, folder, uidvalidity, keys)

    async def newest(self, source: str, folder: str, uidvalidity: int, last_uid: int) -> dict[int, str]:
        """What the newest UIDs meant; see `Handover.newest`."""
        return await self._ledger.newest(source, folder, uidvalidity, last_uid)

    async def states_of(
        self, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str]:
        """What became of mails; see `Handover.states_of`."""
        return await self._ledger.states_of(source, folder, uidvalidity, uids)

    def _tell(self, items: Sequence[NewItem], stored: Sequence[Stored]) -> None:
        """Pending items are not worth a line each: the delivery writes one about every event."""
        new = [(item, one) for item, one in zip(items, stored, strict=True) if one.new]
        for (source, state), number in Counter((item.source, one.state) for item, one in new).items():
            ITEMS_ACCEPTED.labels(source=source, state=state).inc(number)
        for item, one in new:
            write = log.debug if one.state is ItemState.PENDING else log.info
            write(
                "item-accepted",
                key=item.key,
                source=item.source,
                state=one.state,
                route=item.route,
                reason=one.reason,
            )
        if any(one.state in OPEN for _, one in new):
            self._knock()
