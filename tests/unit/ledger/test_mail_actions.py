"""Which mails of settled items something is still to be done with."""

import sqlite3
from typing import Any

import pytest

from bridge.ledger import accepting, mail_actions, outbox
from bridge.ledger.item import Settlement
from bridge.ledger.mail_actions import ActionOutcome, Ended, MailAction, Postponed
from tests.unit.ledger.making import created, dead, later, new_item, uncertain, updated


def settled(conn: sqlite3.Connection, key: str, settlement: Settlement, **more: Any) -> None:
    """One item, from its acceptance to this settlement at 100."""
    accepting.accept(conn, [new_item(key, **more)], None, 10)
    outbox.settle(conn, [(outbox.claim(conn, 1, 20)[0], settlement)], 100)


def due(conn: sqlite3.Connection, now: int = 1000, source: str = "support") -> list[MailAction]:
    return mail_actions.due(conn, source, now, 10)


@pytest.mark.parametrize("settlement", [created(5), updated(5)])
def test_a_delivered_mail_gets_its_action(conn: sqlite3.Connection, settlement: Settlement) -> None:
    """Created and updated are final: the row is there with the settlement, and due at once."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", settlement)
    (action,) = due(conn)
    assert (action.places, action.tries, action.begun) == (("INBOX/1/a",), 0, False)
    assert due(conn, now=99) == []


@pytest.mark.parametrize("settlement", [later(5000), dead(), uncertain()])
def test_nothing_is_done_before_a_mail_is_delivered(conn: sqlite3.Connection, settlement: Settlement) -> None:
    """An item that waits, is refused or in doubt leaves its mail alone."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", settlement)
    assert due(conn) == []


def test_only_mails_of_mailboxes_with_an_action(conn: sqlite3.Connection) -> None:
    """Tickets and other mailboxes get no row."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", created(5), source="sales")
    settled(conn, "b", created(6), kind="ticket")
    assert conn.execute("SELECT count(*) FROM mail_actions").fetchone()[0] == 0


def test_the_row_is_part_of_the_settlement(conn: sqlite3.Connection) -> None:
    """A settlement that is rolled back takes the row with it."""
    mail_actions.set_sources(conn, ["support"], 1)
    accepting.accept(conn, [new_item("a")], None, 10)
    claimed = outbox.claim(conn, 1, 20)[0]
    conn.execute("BEGIN")
    outbox.settle(conn, [(claimed, created(5))], 100)
    assert due(conn)
    conn.execute("ROLLBACK")
    assert due(conn) == []


def test_places_where_it_was_found_again(conn: sqlite3.Connection) -> None:
    """After a folder was numbered anew, its new place is known beside the old one."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", created(5), place="INBOX/1/7")
    accepting.accept(conn, [new_item("a", place="INBOX/2/3")], None, 200)
    assert due(conn)[0].places == ("INBOX/1/7", "INBOX/2/3", "INBOX/1/7")


def test_what_a_wrong_clock_put_into_the_future_is_due_at_the_next_start(conn: sqlite3.Connection) -> None:
    """A mail whose item was settled while the clock was a year ahead is done with now; a usual wait stays."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "waiting", created(5))
    mail_actions.record(
        conn, [], [Postponed(item_id=due(conn)[0].item_id, due_at=21_600_000, detail="")], 100
    )
    accepting.accept(conn, [new_item("stranded")], None, 10)
    outbox.settle(conn, [(outbox.claim(conn, 1, 20)[0], created(6))], 365 * 86_400_000)
    mail_actions.set_sources(conn, ["support"], 1000)
    assert [action.places for action in due(conn, now=1000)] == [("INBOX/1/stranded",)]
    assert len(due(conn, now=21_600_000)) == 2


def test_ended_and_postponed(conn: sqlite3.Connection) -> None:
    """What has ended is never due again; what was refused is due at its time, with one more try."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", created(5))
    settled(conn, "b", created(6))
    first, second = due(conn)
    mail_actions.begin(conn, [second.item_id], 150)
    mail_actions.record(
        conn,
        [Ended(item_id=first.item_id, outcome=ActionOutcome.DONE)],
        [Postponed(item_id=second.item_id, due_at=500, detail="read only")],
        200,
    )
    assert due(conn, now=499) == []
    assert [(one.item_id, one.tries, one.begun) for one in due(conn, now=500)] == [(second.item_id, 1, True)]
    assert mail_actions.waiting(conn, "support") == 1
    done = mail_actions.state_of(conn, first.item_id)
    assert done is not None
    assert (done.outcome, done.ended_at) == ("done", 200)


def test_a_mailbox_without_action_any_more(conn: sqlite3.Connection) -> None:
    """What waits is cancelled where the configuration asks for nothing any more; later settlements make no row."""
    mail_actions.set_sources(conn, ["support", "sales"], 1)
    settled(conn, "a", created(5))
    assert mail_actions.set_sources(conn, ["sales"], 300) == 1
    settled(conn, "b", created(6))
    assert due(conn) == []
    state = mail_actions.state_of(conn, 1)
    assert state is not None
    assert state.outcome == "cancelled"
    assert mail_actions.state_of(conn, 2) is None


def test_rows_go_with_their_item(conn: sqlite3.Connection) -> None:
    """Forgetting an item forgets its action."""
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", created(5))
    conn.execute("DELETE FROM items")
    assert conn.execute("SELECT count(*) FROM mail_actions").fetchone()[0] == 0


def test_looking_for_due_actions_reads_an_index(conn: sqlite3.Connection) -> None:
    """A million finished rows cost a look nothing."""
    plan = conn.execute(
        "EXPLAIN QUERY PLAN SELECT item_id FROM mail_actions INDEXED BY mail_actions_due "
        "WHERE ended_at IS NULL AND source = 's' AND due_at <= 5 ORDER BY due_at, item_id LIMIT 5"
    ).fetchall()
    assert ["USING INDEX mail_actions_due (source=? AND due_at<?)" in row["detail"] for row in plan] == [True]
