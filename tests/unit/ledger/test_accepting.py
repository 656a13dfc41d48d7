import sqlite3

from bridge.cursor import FolderCursor
from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.item import ItemFilter
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import new_item

CURSOR = FolderCursor(source="support", folder="INBOX", uidvalidity=7, baseline=3, last_uid=9)


def test_items_and_cursor_are_stored_together(conn: sqlite3.Connection) -> None:
    """What one call hands in is there afterwards: every item, and how far the folder is read."""
    stored = accept(conn, [new_item("a"), new_item("b", state=ItemState.FILTERED)], CURSOR, now=50)
    assert [(one.key, one.state, one.new) for one in stored] == [
        ("a", ItemState.PENDING, True),
        ("b", ItemState.FILTERED, True),
    ]
    assert queries.cursor(conn, "support", "INBOX") == CURSOR
    assert queries.cursor(conn, "support", "Other") is None


def test_the_same_key_is_the_same_item(conn: sqlite3.Connection) -> None:
    """A message found again makes no second item; the receipt tells the state of the first."""
    accept(conn, [new_item("a", state=ItemState.FILTERED)], None, now=50)
    (again,) = accept(conn, [new_item("a")], None, now=60)
    assert (again.new, again.state) == (False, ItemState.FILTERED)
    assert len(queries.items(conn, ItemFilter())) == 1


def test_finding_a_mail_at_another_place_is_noted(conn: sqlite3.Connection) -> None:
    """A copy of a mail in the folder is remembered by its place; reading the same place again is not news."""
    accept(conn, [new_item("a", place="INBOX/1/5")], None, now=50)
    accept(conn, [new_item("a", place="INBOX/1/5")], None, now=60)
    accept(conn, [new_item("a", place="INBOX/1/8")], None, now=70)
    item = queries.item(conn, "a")
    assert queries.repeats(conn, item.id) == [("INBOX/1/8", 70, 1)]


def test_every_repeated_delivery_of_a_ticket_is_counted(conn: sqlite3.Connection) -> None:
    """A helpdesk that sends a delivery three times shows as two repeats."""
    for now in (50, 60, 70):
        accept(conn, [new_item("a", kind="ticket", place="delivery-1")], None, now=now)
    assert queries.repeats(conn, queries.item(conn, "a").id) == [("delivery-1", 70, 2)]


def test_totals_follow_every_change(conn: sqlite3.Connection) -> None:
    """The counts by state are those that counting the rows gives, whatever happened."""
    accept(conn, [new_item(key) for key in "abc"], None, now=1)
    conn.execute("UPDATE items SET state = 'dead' WHERE key = 'a'")
    conn.execute("DELETE FROM items WHERE key = 'b'")
    totals = queries.totals(conn)
    assert totals["pending"] == 1
    assert totals["dead"] == 1
    assert set(totals) == {state.value for state in ItemState}
    assert sum(totals.values()) == conn.execute("SELECT count(*) FROM items").fetchone()[0]
