import sqlite3

import pytest

from bridge.errors import StateFileError
from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.item import ItemFilter
from bridge.ledger.operating import drop, retry
from bridge.ledger.outbox import claim, settle
from bridge.ledger.state import ItemState
from bridge.reason import Reason
from tests.unit.ledger.making import created, dead, keys_of, new_item, uncertain


def test_a_dead_letter_can_be_posted_again(conn: sqlite3.Connection) -> None:
    """A retried item is due now, under the same key, with its earlier attempts kept."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, dead())], now=2)
    assert retry(conn, ["a"], now=50) == {"a": True}
    (again,) = claim(conn, 1, now=50)
    assert (again.key, again.attempt, again.tries, again.accepted_at) == ("a", 2, 0, 50)


def test_what_was_delivered_or_has_no_event_is_not_posted_again(conn: sqlite3.Connection) -> None:
    """A retry neither doubles an event nor posts what never became one, nor what does not exist."""
    accept(conn, [new_item("a"), new_item("q", state=ItemState.QUARANTINED, event=None)], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, created(1))], now=2)
    assert retry(conn, ["a", "q", "nobody"], now=3) == {"a": False, "q": False, "nobody": False}
    assert claim(conn, 8, now=3) == []


def test_a_reopened_item_goes_before_later_ones_of_its_conversation(conn: sqlite3.Connection) -> None:
    """Order holds over a retry by hand as well."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (first,) = claim(conn, 8, now=1)
    settle(conn, [(first, dead())], now=2)
    retry(conn, ["a"], now=3)
    assert keys_of(claim(conn, 8, now=3)) == ["a"]


def test_a_dropped_item_lets_the_next_one_go(conn: sqlite3.Connection) -> None:
    """Dropping an uncertain item ends it with the operator's reason and unblocks its conversation."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (first,) = claim(conn, 8, now=1)
    settle(conn, [(first, uncertain())], now=2)
    assert drop(conn, ["a"], "seen in the ACD", now=3) == {"a": True}
    stored = queries.item(conn, "a")
    assert (stored.state, stored.reason, stored.detail) == (
        ItemState.FILTERED, Reason.OPERATOR_DROP, "seen in the ACD",
    )  # fmt: skip
    assert keys_of(claim(conn, 8, now=3)) == ["b"]


def test_what_is_under_way_cannot_be_dropped(conn: sqlite3.Connection) -> None:
    """An item whose request is being sent stays as it is."""
    accept(conn, [new_item("a")], None, now=1)
    claim(conn, 1, now=1)
    assert drop(conn, ["a"], "no", now=2) == {"a": False}
    assert retry(conn, ["a"], now=2) == {"a": False}
    assert queries.item(conn, "a").state is ItemState.SENDING


def test_items_are_found_by_the_beginning_of_their_key(conn: sqlite3.Connection) -> None:
    """A unique beginning is enough, an ambiguous one is refused, and a full key is never ambiguous."""
    accept(conn, [new_item(key) for key in ("ab1", "ab", "cd")], None, now=1)
    assert queries.item(conn, "c").key == "cd"
    assert queries.item(conn, "ab").key == "ab"
    with pytest.raises(StateFileError, match="more than one"):
        queries.item(conn, "a")
    with pytest.raises(StateFileError, match="no item"):
        queries.item(conn, "x")


def test_items_are_filtered_by_all_conditions_together(conn: sqlite3.Connection) -> None:
    """State, source and reason narrow the list down, newest first, within the limit."""
    accept(conn, [new_item("a"), new_item("b", source="sales"), new_item("c")], None, now=1)
    conn.execute("UPDATE items SET reason = 'gave-up', state = 'dead' WHERE key IN ('b', 'c')")
    dead_ones = ItemFilter(states=frozenset({ItemState.DEAD}))
    assert [item.key for item in queries.items(conn, dead_ones)] == ["c", "b"]
    assert queries.keys(conn, ItemFilter(source="sales", reason="gave-up")) == ["b"]
    assert [item.key for item in queries.items(conn, ItemFilter(limit=1))] == ["c"]


def test_many_items_of_one_conversation_are_reopened_in_their_order(conn: sqlite3.Connection) -> None:
    """A thousand dead letters of one sender: each is due again, one after the other, and it is quick enough."""
    keys = [f"{number:04}" for number in range(1000)]
    accept(conn, [new_item(key, conversation="one", state=ItemState.DEAD) for key in keys], None, now=1)
    assert all(retry(conn, keys, now=2).values())
    for key in keys[:3]:
        (item,) = claim(conn, 8, now=2)
        assert item.key == key
        settle(conn, [(item, created(1))], now=2)
