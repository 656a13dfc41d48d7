import sqlite3

from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.doubt import Found, doubts, owners, resolve, under_way
from bridge.ledger.duplicates import newest
from bridge.ledger.operating import drop
from bridge.ledger.outbox import claim, settle
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import created, keys_of, new_item, uncertain, updated


def test_an_uncertain_item_tells_when_its_request_was_sent(conn: sqlite3.Connection) -> None:
    """What is needed to look for its event: the draft, and the last attempt's beginning and end."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=5)
    settle(conn, [(item, uncertain())], now=9)
    (doubt,) = doubts(conn)
    assert (doubt.key, doubt.attempt, doubt.sent_at, doubt.ended_at) == ("a", 1, 5, 9)
    assert doubt.event == item.event


def test_an_uncertain_item_names_an_event_that_was_there_before(conn: sqlite3.Connection) -> None:
    """The newest that was made by then; one that was made after the attempt began says nothing about its time."""
    accept(conn, [new_item(key) for key in "abcd"], None, now=1)
    (first,) = claim(conn, 1, now=1)
    settle(conn, [(first, uncertain())], now=1)
    assert doubts(conn)[0].after_event is None
    (second,) = claim(conn, 1, now=1)
    settle(conn, [(second, created(77))], now=1)
    third, fourth = claim(conn, 2, now=1)
    settle(conn, [(third, created(78)), (fourth, uncertain())], now=1)
    assert [one.after_event for one in doubts(conn)] == [None, 77]


def test_events_are_owned_by_the_items_that_made_them(conn: sqlite3.Connection) -> None:
    """Of the asked ones those that belong to an item, with the time when its attempt had ended."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, created(77))], now=9)
    assert owners(conn, [76, 77]) == {77: 9}


def test_an_event_that_another_item_went_into_is_free(conn: sqlite3.Connection) -> None:
    """The ACD answered `UPDATED` for the second: the event may be that of the first, whose answer was lost.

    Found, it is the first's, and the repeat names it.
    """
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    first, second = claim(conn, 2, now=1)
    settle(conn, [(first, uncertain()), (second, updated(77))], now=2)
    assert owners(conn, [77]) == {}
    assert resolve(conn, [Found(doubt=doubts(conn)[0], acd_event_id=77)], [], now=9) == {"a": "created"}
    assert [(one.key, one.first_key) for one in newest(conn, 9)] == [("b", "a")]


def test_a_found_event_settles_its_item_and_lets_the_next_go(conn: sqlite3.Connection) -> None:
    """The item is created with that event, its attempt says which, and its conversation goes on."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, uncertain())], now=2)
    (doubt,) = doubts(conn)
    assert resolve(conn, [Found(doubt=doubt, acd_event_id=77)], [], now=9) == {"a": "created"}
    stored = queries.item(conn, "a")
    assert (stored.state, stored.acd_event_id, stored.settled_at) == (ItemState.CREATED, 77, 9)
    (attempt,) = queries.attempts(conn, stored.id)
    assert (attempt.outcome, attempt.acd_event_id) == ("uncertain", 77)
    assert keys_of(claim(conn, 8, now=9)) == ["b"]


def test_an_item_whose_event_is_not_there_is_due_again_before_the_next(conn: sqlite3.Connection) -> None:
    """It is posted anew under the same key, and nothing of its conversation overtakes it."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, uncertain())], now=2)
    assert resolve(conn, [], doubts(conn), now=9) == {"a": "pending"}
    (again,) = claim(conn, 8, now=9)
    assert (again.key, again.attempt) == ("a", 2)


def test_what_is_under_way_may_have_made_an_event_too(conn: sqlite3.Connection) -> None:
    """An event in the ACD's list may be the one whose answer is just coming; what is in doubt already is not named."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    (item,) = claim(conn, 1, now=5)
    settle(conn, [(item, uncertain())], now=6)
    claim(conn, 1, now=7)
    assert [(one.key, one.sent_at, one.ended_at) for one in under_way(conn)] == [("b", 7, 7)]


def test_an_event_that_another_item_made_meanwhile_settles_nobody(conn: sqlite3.Connection) -> None:
    """The answer to a post is certain, what the list suggested is not: the item stays in doubt."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    first, second = claim(conn, 2, now=1)
    settle(conn, [(first, uncertain())], now=2)
    (doubt,) = doubts(conn)
    settle(conn, [(second, created(77))], now=3)
    assert resolve(conn, [Found(doubt=doubt, acd_event_id=77)], [], now=9) == {}
    assert queries.item(conn, "a").state is ItemState.UNCERTAIN


def test_what_an_operator_decided_meanwhile_stands(conn: sqlite3.Connection) -> None:
    """A dropped item is neither settled nor posted by a reconciliation that began before."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    settle(conn, [(item, uncertain()) for item in claim(conn, 2, now=1)], now=2)
    first, second = doubts(conn)
    drop(conn, ["a", "b"], "seen in the ACD", now=3)
    assert resolve(conn, [Found(doubt=first, acd_event_id=77)], [second], now=9) == {}
    assert {queries.item(conn, key).state for key in "ab"} == {ItemState.FILTERED}
