"""The gate between routing and the state file: what floods is held, what is history goes into its own lane."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from bridge.config.flood import Flood
from bridge.cursor import FolderCursor
from bridge.flood.guard import FloodGuard, Judged
from bridge.history import HistoryOrder
from bridge.ledger.accepting import FloodNotes
from bridge.ledger.item import NewItem, Stored
from bridge.ledger.lanes import HISTORY
from bridge.ledger.ledger import Ledger
from bridge.ledger.state import ItemState
from bridge.metrics import FLOOD_HELD
from bridge.reason import Reason

FLOODS = frozenset({Reason.BURST, Reason.SUSPECTED_LOOP})

log = structlog.get_logger("bridge.flood")


class FloodGate:
    """Stores items, after a look at whether there are too many of them."""

    def __init__(self, ledger: Ledger, settings: Flood) -> None:
        self._ledger = ledger
        self._settings = settings
        self._guard = FloodGuard(settings)

    async def remember(self, now: int) -> None:
        """Make up the memory of the last minutes and days from the state file. Raises StateFileError."""
        await self._ledger.forget_floods(now=now)
        self._guard = FloodGuard(self._settings, await self._ledger.flood_memory(now=now))

    async def store(
        self, items: Sequence[NewItem], cursor: FolderCursor | HistoryOrder | None, now: int
    ) -> tuple[Sequence[NewItem], list[Stored]]:
        """Store the items, and those that came too fast as held ones; what was stored. Raises StateFileError.

        History is no flood, since an operator asked for it.
        """
        if isinstance(cursor, HistoryOrder):
            history = [_of_history(item) for item in items]
            return history, await self._ledger.accept(history, cursor, now=now)
        judged = await self._judged(items, now)
        notes = FloodNotes(judged.slots, judged.loops, judged.bursts)
        counted = zip(judged.items, judged.slots, strict=True)
        try:
            stored = await self._ledger.accept(judged.items, cursor, now=now, flood=notes)
        except BaseException:
            self._guard.undo(counted)
            raise
        self._guard.undo(pair for pair, one in zip(counted, stored, strict=True) if not one.new)
        self._tell(judged, stored)
        return judged.items, stored

    async def _judged(self, items: Sequence[NewItem], now: int) -> Judged:
        """Only where something might be held is the state file asked which items it knows already."""
        weighed = self._guard.weigh(items, now)
        if not self._guard.suspects(weighed, now):
            return self._guard.let_through(items, weighed, now)
        known = await self._ledger.known([item.key for item in items])
        held = self._guard.held_keys(weighed)
        self._guard.free(await self._ledger.let_go(sorted(held)))
        return self._guard.judge(items, known, now)

    def _tell(self, judged: Judged, stored: Sequence[Stored]) -> None:
        """One alarm for a burst and one for a loop, however many mails they have."""
        for source in judged.bursts:
            log.error(
                "burst-held",
                source=source,
                hint="see `acd-bridge items list --reason burst`, then `items release` or `items drop`",
            )
        for item, one in zip(judged.items, stored, strict=True):
            if not one.new or item.reason not in FLOODS:
                continue
            FLOOD_HELD.labels(source=item.source, reason=item.reason, state=item.state).inc()
            if item.state is ItemState.HELD and item.reason is Reason.SUSPECTED_LOOP:
                log.error(
                    "loop-held",
                    source=item.source,
                    key=item.key,
                    hint="see `acd-bridge items show KEY`, then `items release` or `items drop`",
                )


def _of_history(item: NewItem) -> NewItem:
    return replace(item, lane=HISTORY, message={**item.message, "historical": True})
