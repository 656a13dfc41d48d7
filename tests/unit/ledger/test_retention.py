import sqlite3

from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.duplicates import newest
from bridge.ledger.item import ItemFilter
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import created, dead, new_item, updated


def test_only_old_items_that_are_over_are_removed(conn: sqlite3.Connection) -> None:
    """What waits, what needs a person and what is young stays; the rest goes, with its attempts."""
    accept(conn, [new_item(key) for key in ("done", "merged", "dead", "young", "open")], None, now=1)
    accept(conn, [new_item("bad", state=ItemState.QUARANTINED, event=None)], None, now=1)
    accept(conn, [new_item("dropped", state=ItemState.FILTERED)], None, now=1)
    done, merged, refused, young = claim(conn, 4, now=1)
    settle(conn, [(done, created(1))], now=10)
    settle(conn, [(merged, updated(1))], now=10)
    settle(conn, [(refused, dead())], now=10)
    settle(conn, [(young, created(2))], now=99)
    assert remove_settled(conn, before=50) == 3
    left = {item.key for item in queries.items(conn, ItemFilter())}
    assert left == {"dead", "young", "open", "bad"}
    assert queries.attempts(conn, done.id) == []
    (kept,) = newest(conn, 10)
    assert (kept.key, kept.first_key, kept.ticket_number) == ("merged", "done", "DH-1")
    assert remove_settled(conn, before=50) == 0
