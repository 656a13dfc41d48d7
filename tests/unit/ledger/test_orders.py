"""Orders to read old mail, as they are kept."""

import sqlite3
from dataclasses import replace

import pytest

from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.ledger import accepting, orders, queries
from tests.unit.ledger.making import new_item

ORDER = HistoryOrder(source="support", folder="INBOX", uidvalidity=7, next_uid=1, last_uid=9)


def test_an_order_is_kept_as_it_was_given(conn: sqlite3.Connection) -> None:
    """All of it, and when it was given."""
    given = replace(ORDER, since=5, uids="1:3,7", words="w")
    orders.put(conn, given, now=4)
    kept = orders.order(conn, "support", "INBOX")
    assert kept == given
    assert kept is not None
    assert kept.asked_at == 4
    assert orders.order(conn, "support", "Other") is None
    assert orders.orders(conn) == [given]


def test_a_second_order_is_refused_while_one_runs(conn: sqlite3.Connection) -> None:
    """The words say how far the first one is; another folder, and the same one once it is done, may have theirs."""
    orders.ask(conn, replace(ORDER, uidvalidity=0), now=1)
    with pytest.raises(StateFileError, match="waiting"):
        orders.ask(conn, ORDER, now=2)
    orders.ask(conn, replace(ORDER, folder="Other"), now=2)
    accepting.accept(conn, [], replace(ORDER, next_uid=10, ended=True), now=3)
    orders.ask(conn, replace(ORDER, since=1), now=4)


def test_a_window_moves_the_order_in_its_own_transaction(conn: sqlite3.Connection) -> None:
    """New and known mails are counted; the snapshot of UIDs stays as it was."""
    orders.put(conn, replace(ORDER, uids="1:9"), now=1)
    accepting.accept(conn, [new_item("a"), new_item("b")], replace(ORDER, next_uid=3), now=2)
    accepting.accept(conn, [new_item("b"), new_item("c")], replace(ORDER, next_uid=5), now=3)
    kept = orders.order(conn, "support", "INBOX")
    assert kept is not None
    assert (kept.next_uid, kept.taken, kept.known, kept.uids, kept.ended) == (5, 3, 1, "1:9", False)
    assert kept.progress() == "at UID 5 of 9; 3 taken, 1 known"


@pytest.mark.parametrize(
    ("order", "baseline"),
    [
        (ORDER, 1),
        (replace(ORDER, since=1), 10),
        (replace(ORDER, uids="1:9"), 10),
        (replace(ORDER, words="it failed"), 10),
        (replace(ORDER, uidvalidity=8), 10),
        (replace(ORDER, last_uid=8), 10),
    ],
)
def test_a_folder_that_was_read_whole_is_audited_whole(
    conn: sqlite3.Connection, order: HistoryOrder, baseline: int
) -> None:
    """Then its baseline is 1; after every other order it stays where the first start put it."""
    cursor = FolderCursor(source="support", folder="INBOX", uidvalidity=7, baseline=10, last_uid=20)
    accepting.accept(conn, [], cursor, now=1)
    orders.put(conn, order, now=1)
    accepting.accept(conn, [], replace(order, next_uid=10, ended=True), now=2)
    kept = queries.cursor(conn, "support", "INBOX")
    assert kept is not None
    assert (kept.baseline, kept.last_uid) == (baseline, 20)
