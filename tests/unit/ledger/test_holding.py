"""What is held: letting go, what stands for a loop, and what is remembered of floods."""

import sqlite3
from dataclasses import replace
from functools import partial

from bridge.ledger import accepting, holding, operating, outbox, queries
from bridge.ledger.accepting import FloodNotes
from bridge.ledger.holding import LoopNote
from bridge.ledger.item import NewItem
from bridge.ledger.state import ItemState
from bridge.reason import Reason
from tests.unit.ledger.making import keys_of, new_item

SLOT_MS = 600_000


def held(key: str, reason: Reason = Reason.BURST, conversation: str = "") -> NewItem:
    return replace(new_item(key, conversation=conversation, state=ItemState.HELD), reason=reason)


def test_released_items_are_posted_in_their_order(conn: sqlite3.Connection) -> None:
    """The first of a conversation goes first, also before what came after the burst and waited."""
    items = [held("a", conversation="t"), held("b", conversation="t"), new_item("c", conversation="t")]
    accepting.accept(conn, items, None, now=1)
    assert outbox.claim(conn, 5, now=2) == []
    assert operating.release(conn, ["b", "a"], now=3) == {"b": True, "a": True}
    assert keys_of(outbox.claim(conn, 5, now=4)) == ["a"]
    assert queries.item(conn, "b").reason == Reason.OPERATOR_RELEASE


def test_only_what_was_held_back_can_be_released(conn: sqlite3.Connection) -> None:
    """Held items and the mails of a suspected loop; nothing else, and nothing without an event."""
    collapsed = replace(new_item("collapsed", state=ItemState.DUPLICATE), reason=Reason.SUSPECTED_LOOP)
    items = [
        collapsed, new_item("copy", state=ItemState.DUPLICATE), new_item("pending"),
        replace(held("empty"), event=None),
    ]  # fmt: skip
    accepting.accept(conn, items, None, now=1)
    done = operating.release(conn, ["collapsed", "copy", "pending", "empty", "nobody"], now=2)
    assert [key for key, good in done.items() if good] == ["collapsed"]
    assert queries.item(conn, "collapsed").state is ItemState.PENDING
    assert queries.totals(conn)["pending"] == 2


def test_a_held_item_says_how_many_it_stands_for(conn: sqlite3.Connection) -> None:
    """The number follows the loop; once an operator has decided, the item's words are left alone."""
    accept = partial(accepting.accept, conn, cursor=None)
    first = LoopNote("sender support\0a@b", "a", 3, at=1)
    accept(items=[held("a", Reason.SUSPECTED_LOOP)], now=1, flood=FloodNotes(loops=[first]))
    accept(items=[], now=2, flood=FloodNotes(loops=[replace(first, mails=40)]))
    assert queries.item(conn, "a").detail == "stands for 40 mails of a suspected loop"
    assert holding.memory(conn, now=3).loops == [replace(first, mails=40)]
    assert holding.let_go(conn, ["a", "nobody"]) == ["nobody"]
    operating.release(conn, ["a"], now=3)
    accept(items=[], now=4, flood=FloodNotes(loops=[replace(first, mails=41)]))
    assert queries.item(conn, "a").detail == ""
    assert holding.let_go(conn, ["a"]) == ["a"]


def test_a_dropped_loop_still_stands_for_its_mails(conn: sqlite3.Connection) -> None:
    """An operator who drops it has said that it is a loop: its next mails are not posted either."""
    accepting.accept(conn, [held("a", Reason.SUSPECTED_LOOP)], None, now=1)
    operating.drop(conn, ["a"], "a loop", now=2)
    assert holding.let_go(conn, ["a"]) == []


def test_a_burst_takes_what_still_waits_with_it(conn: sqlite3.Connection) -> None:
    """What its source sent in the last ten minutes and was not tried is held too; older items, other sources,
    history and what was tried already are not.
    """
    now = 10 * SLOT_MS
    accepting.accept(conn, [new_item("old")], None, now=now - SLOT_MS - 1)
    accepting.accept(conn, [new_item("tried")], None, now=now - 2)
    [tried] = [item for item in outbox.claim(conn, 5, now=now - 1) if item.key == "tried"]
    items = [new_item("waits"), new_item("other", source="sales"), replace(new_item("history"), lane=1)]
    accepting.accept(conn, items, None, now=now - 1)
    accepting.accept(conn, [held("burst")], None, now=now, flood=FloodNotes(bursts=["support"]))
    states = {
        key: str(queries.item(conn, key).state) for key in ("old", "tried", "waits", "other", "history")
    }
    assert states == {
        "old": "sending", "tried": "sending", "waits": "held", "other": "pending", "history": "pending",
    }  # fmt: skip
    assert tried.key == "tried"
    assert queries.item(conn, "waits").reason == Reason.BURST


def test_rates_count_what_is_new(conn: sqlite3.Connection) -> None:
    """By source and slot; known items and those that are in no slot are left out; a week is kept."""
    slot = 20_000
    batch = [new_item(key) for key in ("a", "b", "c")]
    accepting.accept(conn, batch, None, now=1, flood=FloodNotes(slots=[slot, slot, None]))
    accepting.accept(conn, [*batch[:2], new_item("d")], None, now=2, flood=FloodNotes(slots=[slot] * 3))
    accepting.accept(conn, [new_item("e")], None, now=2, flood=FloodNotes(slots=[slot - 2000]))
    assert holding.memory(conn, now=slot * SLOT_MS).rates == [("support", slot, 3)]
    holding.remove_old(conn, now=slot * SLOT_MS)
    assert conn.execute("SELECT count(*) FROM rates").fetchone()[0] == 1


def test_memory_holds_the_live_mails_of_the_last_minutes(conn: sqlite3.Connection) -> None:
    """Neither history nor tickets nor what was not to be posted; with the time at which each was accepted."""
    now = 10 * SLOT_MS
    accepting.accept(conn, [new_item("old")], None, now=now - SLOT_MS - 1)
    dropped = new_item("dropped", state=ItemState.FILTERED)
    items = [new_item("a"), replace(new_item("h"), lane=1), new_item("t", kind="ticket"), dropped]
    accepting.accept(conn, items, None, now=now - 5)
    assert [(item.key, at) for item, at in holding.memory(conn, now=now).recent] == [("a", now - 5)]


def test_quiet_loops_are_forgotten(conn: sqlite3.Connection) -> None:
    """After a day without a mail nothing is left of a loop but its items."""
    accepting.accept(conn, [], None, now=1, flood=FloodNotes(loops=[LoopNote("n", "k", 2, at=1)]))
    holding.remove_old(conn, now=86_400_001)
    assert len(holding.memory(conn, now=2).loops) == 1
    holding.remove_old(conn, now=86_400_002)
    assert holding.memory(conn, now=2).loops == []


def test_known_keys_are_told(conn: sqlite3.Connection) -> None:
    """Of those that were asked about, the ones that belong to items."""
    accepting.accept(conn, [new_item("a"), new_item("b")], None, now=1)
    assert holding.known(conn, ["b", "c"]) == {"b"}
