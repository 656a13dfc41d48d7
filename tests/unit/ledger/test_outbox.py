import sqlite3
from dataclasses import replace

import pytest

from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.doubt import doubts, resolve
from bridge.ledger.duplicates import newest
from bridge.ledger.item import ItemFilter, Settlement
from bridge.ledger.lanes import DUE
from bridge.ledger.operating import retry
from bridge.ledger.outbox import FOUND_BY_POSTING, claim, recover, settle, turn
from bridge.ledger.state import ItemState
from bridge.ledger.verify import violations
from bridge.reason import Reason
from tests.unit.ledger.making import DRAFT, created, dead, keys_of, later, new_item, uncertain, updated


def test_an_attempt_is_written_before_anything_is_sent(conn: sqlite3.Connection) -> None:
    """A claimed item is `sending`, and its attempt has its number, its time and a digest of what is sent."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 8, now=5)
    row = conn.execute("SELECT * FROM attempts").fetchone()
    assert (row["item_id"], row["number"], row["started_at"]) == (item.id, 1, 5)
    assert len(row["digest"]) == 64
    assert queries.item(conn, "a").state is ItemState.SENDING


def test_the_oldest_items_come_first_and_no_more_than_asked(conn: sqlite3.Connection) -> None:
    """The order of acceptance is the order of posting, within the limit."""
    accept(conn, [new_item(key) for key in "abcd"], None, now=1)
    assert keys_of(claim(conn, 3, now=1)) == ["a", "b", "c"]
    assert keys_of(claim(conn, 3, now=1)) == ["d"]


def test_what_is_not_due_waits(conn: sqlite3.Connection) -> None:
    """An item put off is claimed when its time has come, not before."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, later(due_at=100))], now=2)
    assert claim(conn, 1, now=99) == []
    assert queries.next_due(conn) == 100
    (again,) = claim(conn, 1, now=100)
    assert (again.attempt, again.tries) == (2, 1)


@pytest.mark.parametrize("ending", [created(1), updated(1), dead()])
def test_the_next_of_a_conversation_goes_when_the_first_is_final(
    conn: sqlite3.Connection, ending: Settlement
) -> None:
    """Order holds within a conversation; another conversation does not wait for it."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    accept(conn, [new_item("z", conversation="two")], None, now=1)
    first, other = claim(conn, 8, now=1)
    assert (first.key, other.key) == ("a", "z")
    assert claim(conn, 8, now=1) == []
    settle(conn, [(first, ending)], now=2)
    assert keys_of(claim(conn, 8, now=2)) == ["b"]


@pytest.mark.parametrize("waiting", [later(due_at=10), uncertain()])
def test_an_open_item_keeps_the_next_of_its_conversation_waiting(
    conn: sqlite3.Connection, waiting: Settlement
) -> None:
    """A retry or an uncertain outcome must not let a later message of the conversation overtake."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (first,) = claim(conn, 8, now=1)
    settle(conn, [(first, waiting)], now=2)
    assert claim(conn, 8, now=3) == []


def test_items_accepted_later_join_the_queue_of_their_conversation(conn: sqlite3.Connection) -> None:
    """A message that comes while an earlier one is open has no turn, and gets it afterwards."""
    accept(conn, [new_item("a", conversation="one")], None, now=1)
    (first,) = claim(conn, 8, now=1)
    accept(conn, [new_item("b", conversation="one")], None, now=2)
    assert claim(conn, 8, now=2) == []
    settle(conn, [(first, created(1))], now=3)
    assert keys_of(claim(conn, 8, now=3)) == ["b"]


@pytest.mark.parametrize("ending", [created(1), updated(1), dead(), later(due_at=2), uncertain()])
def test_a_settlement_may_be_written_twice(conn: sqlite3.Connection, ending: Settlement) -> None:
    """Where nobody knows whether it is on disk it is written again, and that changes nothing."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, ending)], now=2)
    before = list(conn.iterdump())
    settle(conn, [(item, ending)], now=3)
    assert list(conn.iterdump()) == before


def test_a_settlement_written_twice_does_not_touch_what_came_after_it(conn: sqlite3.Connection) -> None:
    """The item was claimed again, or an operator has decided about it: that stands."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    first, second = claim(conn, 2, now=1)
    ended = [(first, later(due_at=2)), (second, dead())]
    settle(conn, ended, now=2)
    claim(conn, 1, now=2)
    retry(conn, ["b"], now=2)
    before = list(conn.iterdump())
    settle(conn, ended, now=3)
    assert list(conn.iterdump()) == before


def test_what_was_claimed_unheard_is_taken_back(conn: sqlite3.Connection) -> None:
    """The answer to a claim was lost: its items are pending again, those in hand stay under way."""
    accept(conn, [new_item(key) for key in "abc"], None, now=1)
    in_hand = claim(conn, 1, now=1)
    claim(conn, 2, now=1)
    assert keys_of(turn(conn, [], 8, now=2, in_hand=in_hand)) == ["b", "c"]
    numbers = conn.execute("SELECT number FROM attempts").fetchall()
    assert [row["number"] for row in numbers] == [1, 1, 1]


def test_a_settled_item_tells_its_outcome(conn: sqlite3.Connection) -> None:
    """State, event, time and the attempt's answer are all kept."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, dead())], now=9)
    stored = queries.item(conn, "a")
    assert (stored.state, stored.reason, stored.detail, stored.settled_at) == (
        ItemState.DEAD, Reason.ACD_REFUSED, "no such group", 9,
    )  # fmt: skip
    (attempt,) = queries.attempts(conn, stored.id)
    assert (attempt.outcome, attempt.ended_at, attempt.words) == ("refused", 9, "no such group")


def test_an_updated_answer_is_recorded_with_both_items(conn: sqlite3.Connection) -> None:
    """`UPDATED` names the item that made the event, and the one that went into it."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    first, second = claim(conn, 2, now=1)
    settle(conn, [(first, created(77))], now=2)
    settle(conn, [(second, updated(77))], now=3)
    (found,) = newest(conn, 10)
    assert (found.key, found.first_key, found.acd_event_id, found.at) == ("b", "a", 77, 3)
    assert found.ticket_number == "DH-1"


def test_an_updated_answer_for_a_foreign_event_has_no_first_item(conn: sqlite3.Connection) -> None:
    """An event that somebody else made is a duplicate all the same."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, updated(5))], now=2)
    assert [one.first_key for one in newest(conn, 10)] == [None]


def posted_again(conn: sqlite3.Connection, key: str, end: Settlement, now: int = 3) -> None:
    """An item whose first attempt is in doubt, posted again with this end."""
    accept(conn, [new_item(key)], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, uncertain())], now=1)
    resolve(conn, [], doubts(conn), now=2)
    (item,) = claim(conn, 1, now=2)
    for _ in range(2):
        settle(conn, [(item, end)], now=now)


SAME = replace(updated(77), says_the_same=True)


def test_an_updated_answer_finds_the_event_of_an_attempt_in_doubt(conn: sqlite3.Connection) -> None:
    """Nobody else made it, and it says the same: the item is no repeat, it is created."""
    posted_again(conn, "a", SAME)
    item = queries.item(conn, "a")
    assert (item.state, item.detail, item.acd_event_id) == (ItemState.CREATED, FOUND_BY_POSTING, 77)
    assert [one.outcome for one in queries.attempts(conn, item.id)] == ["uncertain", "updated"]
    assert newest(conn, 9) == []
    accept(conn, [new_item("b")], None, now=4)
    settle(conn, [(claim(conn, 1, now=4)[0], updated(77))], now=4)
    assert [(one.key, one.first_key) for one in newest(conn, 9)] == [("b", "a")]
    assert violations(conn) == []


@pytest.mark.parametrize("maker_is_kept", [True, False])
def test_an_updated_answer_with_an_event_of_another_item_is_a_repeat(
    conn: sqlite3.Connection,
    maker_is_kept: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """However much the two say the same. It may even be one whose maker is not kept any more."""
    accept(conn, [new_item("maker"), new_item("repeat")], None, now=1)
    for end in (created(77), updated(77)):
        settle(conn, [(claim(conn, 1, now=1)[0], end)], now=1)
    if not maker_is_kept:
        conn.execute("DELETE FROM items WHERE key = 'maker'")
    posted_again(conn, "a", SAME)
    assert queries.item(conn, "a").state is ItemState.UPDATED
    assert {one.key: one.first_key for one in newest(conn, 9)} == {"a": "maker", "repeat": "maker"}


@pytest.mark.parametrize("subject", ["Printer on strike", "Another"])
def test_an_updated_answer_leaves_an_event_to_the_request_under_way_that_may_have_made_it(
    conn: sqlite3.Connection, subject: str
) -> None:
    """Its answer is not written down yet. No two items made one event, whichever answer is written first."""
    other = replace(DRAFT, subject=subject)
    accept(conn, [new_item("a"), new_item("rival", event=other)], None, now=1)
    first, rival = claim(conn, 2, now=1)
    settle(conn, [(first, uncertain())], now=2)
    resolve(conn, [], doubts(conn), now=3)
    settle(conn, [(claim(conn, 1, now=3)[0], SAME)], now=3)
    settle(conn, [(rival, created(77 if other == DRAFT else 78))], now=4)
    expected = ItemState.UPDATED if other == DRAFT else ItemState.CREATED
    assert queries.item(conn, "a").state is expected
    assert violations(conn) == []


def test_an_updated_answer_with_a_foreign_event_is_a_repeat(conn: sqlite3.Connection) -> None:
    """It says something else than the item, or there was no doubt: somebody outside made it."""
    posted_again(conn, "a", updated(77))
    accept(conn, [new_item("b")], None, now=4)
    settle(conn, [(claim(conn, 1, now=4)[0], replace(SAME, acd_event_id=78))], now=4)
    assert [queries.item(conn, key).state for key in "ab"] == [ItemState.UPDATED] * 2
    assert [one.first_key for one in newest(conn, 9)] == [None, None]


def test_repeats_that_were_noted_before_learn_who_was_first(conn: sqlite3.Connection) -> None:
    """Another item went into the event while its maker was in doubt."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    first, second = claim(conn, 2, now=1)
    settle(conn, [(first, uncertain()), (second, updated(77))], now=2)
    assert [(one.key, one.first_key) for one in newest(conn, 9)] == [("b", None)]
    resolve(conn, [], doubts(conn), now=3)
    settle(conn, [(claim(conn, 1, now=3)[0], SAME)], now=4)
    assert [(one.key, one.first_key, one.first_at) for one in newest(conn, 9)] == [("b", "a", 1)]


def test_a_try_that_does_not_count_leaves_the_waiting_time_alone(conn: sqlite3.Connection) -> None:
    """Attempts while nobody's event can pass are on record but make no later wait longer."""
    accept(conn, [new_item("a")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, later(due_at=2, counts=False))], now=2)
    (again,) = claim(conn, 1, now=2)
    assert (again.attempt, again.tries) == (2, 0)


def test_what_was_being_sent_at_a_crash_is_uncertain(conn: sqlite3.Connection) -> None:
    """After a restart nothing is `sending`, and no request is repeated blindly."""
    accept(conn, [new_item("a"), new_item("b")], None, now=1)
    claim(conn, 1, now=1)
    assert recover(conn, now=5) == 1
    assert queries.item(conn, "a").state is ItemState.UNCERTAIN
    assert queries.item(conn, "a").reason == Reason.CRASHED_WHILE_SENDING
    assert keys_of(claim(conn, 8, now=5)) == ["b"]
    assert recover(conn, now=6) == 1


def test_claiming_costs_the_same_behind_a_long_queue(conn: sqlite3.Connection) -> None:
    """Ten thousand waiting items of one conversation are not looked at to find the one of another."""
    accept(conn, [new_item(f"a{n}", conversation="one") for n in range(10_000)], None, now=1)
    accept(conn, [new_item("z", conversation="two")], None, now=1)
    places = {"now": 1, "limit": 8, "history": 8}
    plan = " ".join(row["detail"] for row in conn.execute(f"EXPLAIN QUERY PLAN {DUE}", places))
    assert "items_due" in plan
    assert "SCAN items" not in plan
    assert "TEMP B-TREE" not in plan
    assert keys_of(claim(conn, 8, now=1)) == ["a0", "z"]
    assert len(queries.items(conn, ItemFilter(states=frozenset({ItemState.SENDING})))) == 2


def test_an_item_that_this_version_cannot_read_stops_nobody(conn: sqlite3.Connection) -> None:
    """After a step back to an older version: it is set aside with its reason, and the others are claimed."""
    accept(conn, [new_item(key, conversation="one") for key in "ab"], None, now=1)
    conn.execute("UPDATE items SET event = json_set(event, '$.newer_field', 1) WHERE key = 'a'")
    assert claim(conn, 8, now=1) == []
    stored = queries.item(conn, "a")
    assert (stored.state, stored.reason) == (ItemState.QUARANTINED, Reason.INVALID_EVENT)
    assert queries.attempts(conn, stored.id)[0].outcome == "not-sent"
    assert keys_of(claim(conn, 8, now=1)) == ["b"]


def test_what_a_wrong_clock_put_into_the_future_is_due_at_the_next_start(conn: sqlite3.Connection) -> None:
    """An item accepted while the clock was a year ahead does not wait for that year; a usual wait stays."""
    year = 365 * 86_400_000
    accept(conn, [new_item("stranded")], None, now=year)
    accept(conn, [new_item("waiting")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, later(due_at=300_000))], now=1)
    recover(conn, now=1000)
    assert keys_of(claim(conn, 8, now=1000)) == ["stranded"]
    assert queries.next_due(conn) == 300_000


def test_what_was_claimed_and_not_begun_is_as_before(conn: sqlite3.Connection) -> None:
    """Taking back leaves no attempt behind, and the item is claimed again in its turn; others stay as they are."""
    accept(conn, [new_item(key) for key in "ab"], None, now=1)
    a, b = claim(conn, 2, now=1)
    assert turn(conn, [], 0, now=2, back=[b]) == []
    stored = queries.item(conn, b.key)
    assert (stored.state, queries.attempts(conn, stored.id)) == (ItemState.PENDING, [])
    assert queries.item(conn, a.key).state is ItemState.SENDING
    assert claim(conn, 2, now=3) == [b]
