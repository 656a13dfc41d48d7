"""The two lanes: live items first, history behind them, order within a conversation in both."""

import sqlite3
from dataclasses import replace

import pytest

from bridge.ledger import accepting, operating, outbox, queries
from bridge.ledger.lanes import DUE, HISTORY, history_places
from tests.unit.ledger.making import created, keys_of, new_item


def accept(conn: sqlite3.Connection, *keys: str, lane: int = 0, conversation: str = "", now: int = 1) -> None:
    items = [replace(new_item(key, conversation=conversation), lane=lane) for key in keys]
    accepting.accept(conn, items, None, now=now)


def test_live_goes_first(conn: sqlite3.Connection) -> None:
    """History that waits longer still goes behind; it takes what places are left."""
    accept(conn, "old-1", "old-2", "old-3", lane=HISTORY, now=1)
    accept(conn, "live-1", "live-2", now=5)
    assert keys_of(outbox.claim(conn, 2, now=9)) == ["live-1", "live-2"]
    assert keys_of(outbox.claim(conn, 2, now=9)) == ["old-1", "old-2"]


def test_history_takes_no_more_than_its_places(conn: sqlite3.Connection) -> None:
    """With places for both, history gets its part and no more, also where no live item waits."""
    accept(conn, "old-1", "old-2", "old-3", lane=HISTORY)
    accept(conn, "live-1")
    assert sorted(keys_of(outbox.claim(conn, 8, now=9, history=2))) == ["live-1", "old-1", "old-2"]
    assert keys_of(outbox.claim(conn, 8, now=9, history=0)) == []


@pytest.mark.parametrize(
    ("limit", "concurrency", "under_way", "expected"),
    [
        (8, 8, 0, 7),
        (8, 8, 3, 4),
        (8, 8, 7, 0),
        (8, 8, 9, 0),
        (1, 8, 0, 1),
        (1, 1, 0, 1),
        (1, 1, 1, 0),
        (0, 8, 0, 0),
        (3, 3, 0, 2),
    ],
)
def test_history_leaves_one_place_free(limit: int, concurrency: int, under_way: int, expected: int) -> None:
    """All but one, at least one, and never more than are free."""
    assert history_places(limit, concurrency, under_way) == expected


def test_history_in_front_of_a_live_item_hurries(conn: sqlite3.Connection) -> None:
    """Order holds within a conversation, and the live item does not wait for the whole history."""
    accept(conn, "other", lane=HISTORY)
    accept(conn, "question", lane=HISTORY, conversation="thread t")
    accept(conn, "reply", conversation="thread t")
    [first] = outbox.claim(conn, 1, now=9)
    assert (first.key, first.lane) == ("question", 0)
    outbox.settle(conn, [(first, created(1))], now=10)
    assert keys_of(outbox.claim(conn, 1, now=11)) == ["reply"]


def test_the_next_due_time_is_that_of_both_lanes(conn: sqlite3.Connection) -> None:
    """Whichever lane is due first."""
    assert queries.next_due(conn) is None
    accept(conn, "old", lane=HISTORY, now=3)
    assert queries.next_due(conn) == 3
    accept(conn, "live", now=2)
    assert queries.next_due(conn) == 2


def test_claiming_is_an_index_scan(conn: sqlite3.Connection) -> None:
    """Neither lane is ever sorted or scanned as a table, and not due items are not walked through."""
    plan = conn.execute(f"EXPLAIN QUERY PLAN {DUE}", {"now": 1, "limit": 8, "history": 4}).fetchall()
    steps = [row["detail"] for row in plan]
    searches = [step for step in steps if "items_due" in step]
    assert len(searches) == 2, steps
    assert all("(lane=? AND due_at<?)" in step for step in searches), steps
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN items") for step in steps), steps


def test_a_retried_item_keeps_its_lane(conn: sqlite3.Connection) -> None:
    """An operator's retry of history does not go before live mail."""
    accept(conn, "old", lane=HISTORY)
    operating.drop(conn, ["old"], "no", now=2)
    operating.retry(conn, ["old"], now=3)
    accept(conn, "live", now=4)
    assert keys_of(outbox.claim(conn, 1, now=9)) == ["live"]
