"""The invariants of the state file: what usual work leaves holds them, and each one that is broken is named."""

import sqlite3

import pytest

from bridge.cursor import FolderCursor
from bridge.ledger.accepting import accept
from bridge.ledger.doubt import Found, doubts, resolve
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked, record, set_routes
from bridge.ledger.operating import drop, retry
from bridge.ledger.outbox import claim, recover, settle, turn
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.ledger.verify import INVARIANTS, violations
from tests.unit.ledger.making import created, dead, later, new_item, uncertain, updated


def fill(conn: sqlite3.Connection) -> None:
    """Items in every state, with a conversation of three."""
    cursor = FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=9)
    talk = [new_item(key, conversation="talk", place=f"INBOX/1/{uid}") for uid, key in enumerate("xyz", 2)]
    set_routes(conn, [FollowedRoute(route="followed", notify="desk")], first=1, longest=1, now=1)
    accept(conn, [*(new_item(key, route="followed") for key in "abcdefg"), *talk], cursor, now=1)
    others = [
        ItemState.FILTERED,
        ItemState.QUARANTINED,
        ItemState.VANISHED,
        ItemState.DUPLICATE,
        ItemState.HELD,
    ]
    accept(conn, [new_item(state, state=state, kind="ticket", event=None) for state in others], None, now=1)
    ends = [created(1), updated(1), dead(), later(5), uncertain()]
    settle(conn, list(zip(claim(conn, 5, now=2), ends, strict=True)), now=3)
    claim(conn, 2, now=3)
    record(conn, [Looked(item_id=1, due_at=4, steady=0, told=False, outcome=FollowUpOutcome.DONE)], now=4)


def test_usual_work_holds_them(conn: sqlite3.Connection) -> None:
    """After claims, answers of every kind, a crash, a reconciliation, operators' words and retention."""
    fill(conn)
    assert violations(conn) == []
    recover(conn, now=4)
    resolve(conn, [Found(doubt=doubts(conn)[0], acd_event_id=7)], doubts(conn)[1:], now=5)
    assert violations(conn) == []
    assert retry(conn, ["c"], now=6)["c"]
    assert drop(conn, ["y", "held"], "why", now=6) == {"y": True, "held": True}
    turn(conn, [], 0, now=7, back=claim(conn, 9, now=7))
    remove_settled(conn, before=100)
    assert violations(conn) == []


def test_a_folder_without_new_mail_holds_them(conn: sqlite3.Connection) -> None:
    """A cursor that was just taken stands right before its baseline, where the next mail will be."""
    accept(conn, [], FolderCursor(source="s", folder="INBOX", uidvalidity=1, baseline=8, last_uid=7), now=1)
    assert violations(conn) == []


BREAKING = {
    "totals": "UPDATE totals SET items = items + 1 WHERE state = 'created'",
    "turn": "UPDATE items SET turn = 1 WHERE key = 'z'",
    "attempt-under-way": "UPDATE attempts SET ended_at = NULL WHERE item_id = (SELECT id FROM items WHERE key = 'a')",
    "sending": "DELETE FROM attempts WHERE ended_at IS NULL",
    "settled-at": "UPDATE items SET settled_at = NULL WHERE key = 'c'",
    "event-to-post": "UPDATE items SET event = NULL WHERE key = 'd'",
    "event-id": "UPDATE items SET acd_event_id = NULL WHERE key = 'b'",
    "one-event-one-item": "UPDATE items SET state = 'created' WHERE key = 'b'",
    "duplicate": "INSERT INTO duplicates (kind, at, key, source, sender, subject, ticket_number, item_id) "
    "SELECT 'same-case', 1, key, source, '', '', '', id FROM items WHERE key = 'd'; "
    "UPDATE duplicates SET first_item_id = 1 WHERE kind = 'same-case'",
    "cursor": "UPDATE cursors SET baseline = 11",
    "numbering": "DELETE FROM numberings",
    "follow-up": "UPDATE follow_ups SET outcome = 'unknown' WHERE ended_at IS NULL",
    "notice": "DELETE FROM follow_ups",
    "foreign-key": "PRAGMA foreign_keys = OFF; DELETE FROM items WHERE key = 'a'",
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_is_broken_is_named(conn: sqlite3.Connection, name: str) -> None:
    """Each invariant is found broken by itself, with an example of where."""
    fill(conn)
    conn.executescript(BREAKING[name])
    found = {one.name: one for one in violations(conn)}
    assert name in found
    assert found[name].number >= 1
    assert found[name].examples


def test_every_invariant_can_be_broken() -> None:
    """A rule that no test breaks might never be found broken."""
    assert {one.name for one in INVARIANTS} == BREAKING.keys() - {"foreign-key"}
