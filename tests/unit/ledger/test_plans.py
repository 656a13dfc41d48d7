"""What statements cost when the file has grown: each is looked up by an index, and none reads a whole table.

SQLite's own plans are asked for (sqlite.org/eqp.html), of every statement that the work below runs and of every
trigger's.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.ledger import (
    compact,
    doubt,
    duplicates,
    finding,
    holding,
    mail_actions,
    operating,
    orders,
    outbox,
    queries,
    retention,
    set_back,
)
from bridge.ledger import places as places_of
from bridge.ledger.accepting import FloodNotes, accept
from bridge.ledger.duplicates import DuplicateFilter
from bridge.ledger.holding import LoopNote
from bridge.ledger.item import ItemFilter, SameCase
from bridge.ledger.places import Place
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import created, dead, new_item, uncertain, updated

SMALL = ("totals", "rates", "loops", "f", r"\(subquery", "CONSTANT", "runs", "one", "heir", "newest")
"""What may be read whole: tables with a row for each state, source or folder, and what a statement has made itself."""
SCAN = re.compile(rf"SCAN (?!(?:{'|'.join(SMALL)})\b)(?!\w+ (?:VIRTUAL TABLE|USING (?:COVERING )?INDEX))")
PLACE = Place("support", "INBOX", 1, 2, "a")
CURSOR = FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=9)


def taking_in(conn: sqlite3.Connection) -> None:
    names = {"ticket_number": "7", "message_id": "m@example.org", "sender": "anna@example.org"}
    case = SameCase(sources=frozenset({"support", "desk"}), within=10)
    items = [replace(new_item(key), message=names, same_case=case) for key in ("a", "b", "c", "d", "e", "f")]
    notes = FloodNotes(slots=[1] * 6, loops=[LoopNote("sender x", "a", 3, 1)], bursts=["support"])
    accept(conn, items, CURSOR, now=1)
    accept(
        conn,
        [replace(items[0], place="INBOX/2/1"), replace(items[1], key="z", source="desk", kind="ticket")],
        None,
        now=2,
    )
    accept(conn, items, HistoryOrder(source="support", folder="INBOX"), now=3, flood=notes)
    places_of.recognise(conn, [PLACE], now=4)
    places_of.uids_of(conn, "support", "INBOX", 1, ["a"])
    places_of.newest(conn, "support", "INBOX", 1, 9)
    places_of.states(conn, "support", "INBOX", 1, [1, 2])
    holding.memory(conn, 9)
    holding.known(conn, ["a"])
    holding.let_go(conn, ["a"])
    queries.cursor(conn, "support", "INBOX")
    orders.order(conn, "support", "INBOX")


def delivering(conn: sqlite3.Connection) -> None:
    mail_actions.set_sources(conn, ["support"], 1)
    accept(conn, [new_item(key) for key in "abcdef"], None, now=1)
    claimed = outbox.claim(conn, 6, now=1)
    ends = [created(1), updated(1), dead(), uncertain(), uncertain()]
    outbox.turn(conn, list(zip(claimed, ends, strict=False)), 5, now=2, back=claimed[5:])
    doubts = doubt.doubts(conn)
    doubt.end_by_now(conn, 2)
    set_back.set_back(conn, 1, 2)
    doubt.owners(conn, [1, 2])
    doubt.under_way(conn)
    doubt.resolve(conn, [doubt.Found(doubt=doubts[0], acd_event_id=9)], doubts[1:], now=3)
    doubt.hold(conn, doubts)
    queries.next_due(conn)
    queries.totals(conn)
    queries.oldest_open(conn)
    actions = mail_actions.due(conn, "support", 9, 9)
    mail_actions.waiting(conn, "support")
    mail_actions.begin(conn, [one.item_id for one in actions], 9)


def beginning(conn: sqlite3.Connection) -> None:
    accept(conn, [new_item("a")], None, now=1)
    outbox.claim(conn, 1, now=1)
    outbox.recover(conn, now=2)
    holding.memory(conn, 9)
    holding.remove_old(conn, 9)


def cleaning(conn: sqlite3.Connection) -> None:
    retention.remove_settled(conn, before=1)
    duplicates.remove_old(conn, before=1)
    places_of.remove_former(conn)
    compact.give_back(conn)


def looking(conn: sqlite3.Connection) -> None:
    queries.items(conn, ItemFilter(states=frozenset({ItemState.DEAD}), reason="acd-refused"))
    queries.items(conn, ItemFilter(ticket="7"))
    queries.attempts(conn, 1)
    queries.repeats(conn, 1)
    duplicates.of_item(conn, 1)
    for wanted in (
        DuplicateFilter(),
        DuplicateFilter(acd_event_id=1),
        DuplicateFilter(ticket_number="7"),
        DuplicateFilter(since=1),
    ):
        duplicates.newest(conn, 9, wanted)
        duplicates.repeated_events(conn, 9, wanted)
    for words in ("a", "1", "7", "m@example.org"):
        finding.find(conn, words)
    mail_actions.state_of(conn, 1)


def deciding(conn: sqlite3.Connection) -> None:
    accept(conn, [new_item("a"), new_item("h", state=ItemState.HELD)], None, now=1)
    operating.drop(conn, ["a"], "why", now=2)
    operating.retry(conn, ["a"], now=2)
    operating.release(conn, ["h"], now=2)


def statements(conn: sqlite3.Connection, work: Callable[[sqlite3.Connection], None]) -> list[str]:
    """What the work runs."""
    seen: list[str] = []
    conn.set_trace_callback(seen.append)
    work(conn)
    conn.set_trace_callback(None)
    return [
        one
        for one in dict.fromkeys(seen)
        if one.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
    ]


def statements_of_triggers(conn: sqlite3.Connection) -> Iterator[str]:
    """Each, with a value in the place of the row's columns."""
    for (trigger,) in conn.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall():
        body = trigger.partition("BEGIN")[2].rpartition("END")[0]
        yield from (re.sub(r"\b(?:NEW|OLD)\.\w+", "1", one) for one in body.split(";") if one.strip())


def plan(conn: sqlite3.Connection, statement: str) -> str:
    return "\n".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())


@pytest.mark.parametrize("work", [beginning, taking_in, delivering, cleaning, looking, deciding])
def test_nothing_reads_a_whole_table(
    conn: sqlite3.Connection, work: Callable[[sqlite3.Connection], None]
) -> None:
    """Whatever the service does, and whatever the usual commands ask, is looked up."""
    found = statements(conn, work)
    assert len(found) > 3
    plans = {one: plan(conn, one) for one in found}
    assert {one: text for one, text in plans.items() if SCAN.search(text)} == {}


def test_no_trigger_reads_a_whole_table(conn: sqlite3.Connection) -> None:
    """They run with every item that changes."""
    plans = {one: plan(conn, one) for one in statements_of_triggers(conn)}
    assert len(plans) > 5
    assert {one: text for one, text in plans.items() if SCAN.search(text)} == {}


def test_a_scan_is_seen(conn: sqlite3.Connection) -> None:
    """The look at the plans would find one."""
    assert SCAN.search(plan(conn, "SELECT key FROM items WHERE detail = 'x'"))
    assert SCAN.search(plan(conn, "SELECT i.key FROM items AS i JOIN attempts AS a ON a.number = i.turn"))
    assert not SCAN.search(plan(conn, "SELECT key FROM items WHERE key = 'x'"))
