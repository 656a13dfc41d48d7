"""What is claimed ahead of the free places."""

import pytest

from bridge.delivery.ready import LEAST_AHEAD, Ready
from bridge.event import EventDraft
from bridge.ledger.item import Claimed
from bridge.ledger.lanes import HISTORY, LIVE


def claimed(number: int, lane: int = LIVE) -> Claimed:
    return Claimed(
        id=number,
        key=f"key-{number}",
        source="s",
        conversation=f"c{number}",
        attempt=1,
        lane=lane,
        tries=0,
        accepted_at=0,
        event=EventDraft(type=1, group=2, sender="a@b.c", subject="s"),
    )


def taken(ready: Ready) -> list[int]:
    found = []
    while item := ready.take():
        found.append(item.id)
    return found


def test_live_items_go_first() -> None:
    """A live item that was claimed later overtakes history that was claimed before it."""
    ready = Ready(3)
    ready.add([claimed(1, HISTORY), claimed(2, HISTORY)])
    ready.add([claimed(3), claimed(4)])
    assert taken(ready) == [3, 4, 1, 2]


@pytest.mark.parametrize(("concurrency", "together"), [(1, 1), (2, 1), (4, 3)])
def test_history_leaves_a_place_free(concurrency: int, together: int) -> None:
    """So many items of history are under way at once, and another one when one has ended."""
    ready = Ready(concurrency)
    ready.add([claimed(number, HISTORY) for number in range(concurrency + 1)])
    first = taken(ready)
    assert len(first) == together
    ready.ended(claimed(first[0], HISTORY))
    assert taken(ready) == [together]


@pytest.mark.parametrize(("concurrency", "ahead"), [(4, LEAST_AHEAD), (LEAST_AHEAD + 8, LEAST_AHEAD + 8)])
@pytest.mark.parametrize("places", range(5))
@pytest.mark.parametrize("waiting", [0, 1, LEAST_AHEAD, LEAST_AHEAD + 10])
def test_what_is_claimed_ahead_is_bounded(concurrency: int, ahead: int, places: int, waiting: int) -> None:
    """What a crash would leave in doubt is bounded: what is under way, and so many items that are ready."""
    ready = Ready(concurrency)
    ready.add([claimed(number) for number in range(waiting)])
    limit, history = ready.wanted(places)
    assert limit == max(0, places + ahead - waiting)
    assert 0 <= history <= limit


def test_what_is_handed_back_is_all_of_it() -> None:
    """Nothing stays claimed that nobody will begin."""
    ready = Ready(2)
    ready.add([claimed(1, HISTORY), claimed(2)])
    assert [item.id for item in ready.take_all()] == [2, 1]
    assert len(ready) == 0
    assert ready.take() is None
