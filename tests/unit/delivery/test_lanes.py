"""The worker and its two lanes."""

from dataclasses import replace
from pathlib import Path

from bridge.delivery.ready import LEAST_AHEAD
from bridge.event import EventDraft
from bridge.ledger.item import NewItem
from bridge.ledger.lanes import HISTORY
from bridge.ledger.ledger import Ledger
from bridge.ledger.state import ItemState
from tests.unit.delivery.test_worker import Poster, Time, settled, working
from tests.wait import until


async def accept(ledger: Ledger, *subjects: str, lane: int = 0) -> None:
    draft = EventDraft(type=7, group=12, sender="a@b.c", subject="")
    plain = NewItem(
        key="",
        source="s",
        kind="mail",
        place="p",
        conversation="",
        state=ItemState.PENDING,
        received_at=1,
        message={},
    )
    items = [
        replace(plain, key=one, conversation=one, lane=lane, event=replace(draft, subject=one))
        for one in subjects
    ]
    await ledger.accept(items, None, now=1_000_000)


async def test_a_live_item_finds_a_place_while_history_is_under_way(tmp_path: Path) -> None:
    """History leaves a place free, also with an ACD that does not answer, and all of it is posted in the end."""
    poster = Poster()
    poster.open.clear()
    async with working(tmp_path / "state.db", poster, Time(), concurrency=4) as (ledger, worker):
        await accept(ledger, *(f"old-{number}" for number in range(9)), lane=HISTORY)
        worker.knock()
        await until(lambda: poster.under_way == 3)
        await accept(ledger, "live-1")
        worker.knock()
        await until(lambda: poster.under_way == 4)
        assert sorted(poster.posted) == ["live-1", "old-0", "old-1", "old-2"]
        poster.open.set()
        await until(settled(ledger, "created", 10))
    assert worker._ready.wanted(4) == (4 + LEAST_AHEAD, 3 + LEAST_AHEAD)  # no place is taken for ever
