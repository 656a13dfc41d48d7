"""The rows of notices, from an event's end until their receiver took them."""

import sqlite3

import pytest

from bridge.ledger import follow_ups, notices
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.notices import NoticeOutcome, NoticeState, Sent
from tests.unit.ledger.making import created, forget, updated
from tests.unit.ledger.test_follow_ups import settled


@pytest.fixture
def two(conn: sqlite3.Connection) -> sqlite3.Connection:
    """Two events that ended at 150 and 160, and are to be told."""
    follow_ups.set_routes(conn, [FollowedRoute(route="billing", notify="desk")], 30, 900, 1)
    for number, (settlement, outcome) in enumerate(
        [(created(5), FollowUpOutcome.DONE), (updated(5), FollowUpOutcome.ERROR)], 1
    ):
        settled(conn, f"k{number}", settlement)
        looked = Looked(
            item_id=number, due_at=0, steady=0, told=True, outcome=outcome, seen_at=120, done_at=140
        )
        follow_ups.record(conn, [looked], 140 + 10 * number)
    return conn


def state(conn: sqlite3.Connection, item_id: int = 1) -> NoticeState:
    found = notices.state_of(conn, item_id)
    assert found is not None
    return found


def test_a_notice_knows_all_that_it_tells(two: sqlite3.Connection) -> None:
    """Due at once, oldest first, to its own receiver alone, with what the ledger knows of item and event."""
    first, second = notices.due(two, "desk", 160, 10)
    assert (first.key, first.source, first.kind, first.route, first.state) == (
        "k1", "support", "mail", "billing", "created",
    )  # fmt: skip
    assert (first.ticket_number, first.message_id, first.acd_event_id) == ("DH-1", None, 5)
    assert (first.outcome, first.settled_at, first.new_at, first.seen_at) == ("done", 100, None, 120)
    assert (first.done_at, first.ended_at, first.tries) == (140, 150, 0)
    assert (second.key, second.outcome, second.state) == ("k2", "error", "updated")
    assert [one.key for one in notices.due(two, "desk", 150, 10)] == ["k1"]
    assert notices.due(two, "other", 160, 10) == []
    assert notices.waiting(two) == {"desk": 2}


def test_what_came_of_sending_is_written_down(two: sqlite3.Connection) -> None:
    """One that was taken is never due again; one that was not is due at its time, with one more try."""
    notices.record(
        two,
        [
            Sent(item_id=1, outcome=NoticeOutcome.TAKEN),
            Sent(item_id=2, outcome=None, due_at=500, detail="HTTP 503"),
        ],
        200,
    )
    assert (state(two).outcome, state(two).ended_at) == ("taken", 200)
    assert notices.due(two, "desk", 499, 10) == []
    assert [(one.key, one.tries) for one in notices.due(two, "desk", 500, 10)] == [("k2", 1)]
    assert (state(two, 2).detail, state(two, 2).ended_at) == ("HTTP 503", None)
    notices.record(two, [Sent(item_id=1, outcome=None, due_at=900)], 300)
    assert (state(two).outcome, state(two).tries) == ("taken", 0)


def test_a_receiver_that_is_gone_from_the_configuration(two: sqlite3.Connection) -> None:
    """What waits for it is cancelled at the next start; those who are named go on, and far times come nearer."""
    two.execute("UPDATE notices SET due_at = 1000000, began_at = 1000000 WHERE item_id = 1")
    assert notices.set_targets(two, ["other", "desk"], 50, 200) == 0
    assert (state(two).due_at, [one.began_at for one in notices.due(two, "desk", 250, 10)]) == (
        250,
        [160, 200],
    )
    assert notices.set_targets(two, ["other"], 50, 300) == 2
    assert notices.set_targets(two, [], 50, 400) == 0
    assert (state(two).outcome, state(two).ended_at) == ("cancelled", 300)


def test_a_person_who_is_forgotten_is_not_told_of(two: sqlite3.Connection) -> None:
    """The payload is made when it is sent: what was taken out of the state file by then is not in it."""
    forget(two, "anna@example.org", 200, drop_open=False)
    assert [one.ticket_number for one in notices.due(two, "desk", 200, 10)] == [None, None]
