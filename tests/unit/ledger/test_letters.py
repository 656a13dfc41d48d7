"""One event for the copies of a letter, in the state file."""

import sqlite3
from dataclasses import replace

from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.item import NewItem
from bridge.ledger.operating import drop, release
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.reason import Reason
from tests.unit.ledger.making import created, dead, keys_of, new_item


def copy(key: str, state: ItemState = ItemState.PENDING, letter: str = "l") -> NewItem:
    return replace(new_item(key, state=state), letter=letter)


def states(conn: sqlite3.Connection, *items: NewItem, now: int = 5) -> list[ItemState]:
    return [one.state for one in accept(conn, items, None, now=now)]


def test_the_second_copy_is_a_duplicate(conn: sqlite3.Connection) -> None:
    """It is an item of its own that names the first, is settled, and is not posted; also within one batch."""
    assert states(conn, copy("a"), copy("b")) == [ItemState.PENDING, ItemState.DUPLICATE]
    second = queries.item(conn, "b")
    assert (second.reason, second.detail, second.settled_at) == (Reason.SAME_LETTER, "of a", 5)
    assert keys_of(claim(conn, 9, now=9)) == ["a"]


def test_another_letter_is_not_one(conn: sqlite3.Connection) -> None:
    """Neither a different letter nor items without one are copies of anything."""
    plain = [new_item("c"), new_item("d")]
    assert set(states(conn, copy("a"), copy("b", letter="m"), *plain)) == {ItemState.PENDING}


def test_the_same_item_is_no_copy_of_itself(conn: sqlite3.Connection) -> None:
    """A mail that is read again after a crash stays what it was."""
    accept(conn, [copy("a")], None, now=5)
    (again,) = accept(conn, [copy("a")], None, now=6)
    assert (again.state, again.new) == (ItemState.PENDING, False)


def test_a_delivered_one_stands_for_later_copies(conn: sqlite3.Connection) -> None:
    """A mail that is moved after its event was created makes no second one."""
    accept(conn, [copy("a")], None, now=5)
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    assert states(conn, copy("b"), copy("c")) == [ItemState.DUPLICATE] * 2


def test_what_made_no_event_stands_for_nothing(conn: sqlite3.Connection) -> None:
    """A mail that a route dropped in the junk folder, or that the ACD refused, is posted where it is found again."""
    assert states(conn, copy("junk", ItemState.FILTERED), copy("rescued")) == [
        ItemState.FILTERED,
        ItemState.PENDING,
    ]
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, dead())], now=6)
    assert states(conn, copy("again"), copy("more")) == [ItemState.PENDING, ItemState.DUPLICATE]
    assert queries.item(conn, "more").detail == "of again"


def test_a_dropped_one_stands_for_nothing(conn: sqlite3.Connection) -> None:
    """What an operator dropped before it was posted does not keep a later copy back."""
    accept(conn, [copy("a")], None, now=5)
    drop(conn, ["a"], "by mistake", now=6)
    assert states(conn, copy("b")) == [ItemState.PENDING]


def test_a_copy_of_a_held_one_waits_with_it(conn: sqlite3.Connection) -> None:
    """Nothing of what an operator must look at is posted by another way."""
    assert states(conn, copy("a", ItemState.HELD), copy("b", ItemState.HELD), copy("c")) == [
        ItemState.HELD,
        ItemState.DUPLICATE,
        ItemState.DUPLICATE,
    ]


def test_a_copy_can_be_released(conn: sqlite3.Connection) -> None:
    """An operator who wants an event for it after all gets one."""
    accept(conn, [copy("a"), copy("b")], None, now=5)
    assert release(conn, ["b"], now=6) == {"b": True}
    assert set(keys_of(claim(conn, 9, now=9))) == {"a", "b"}


def test_a_letter_is_forgotten_with_its_item(conn: sqlite3.Connection) -> None:
    """The table does not grow for ever."""
    accept(conn, [copy("a")], None, now=5)
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    assert remove_settled(conn, before=50) == 1
    assert conn.execute("SELECT count(*) FROM letters").fetchone()[0] == 0
