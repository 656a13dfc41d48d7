"""Taking a person's data out of the state file."""

import json
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.ledger import queries
from bridge.ledger.accepting import FloodNotes, accept
from bridge.ledger.duplicates import newest
from bridge.ledger.file import open_for_writing
from bridge.ledger.forgetting import forget_items, forget_records, holding
from bridge.ledger.holding import LoopNote
from bridge.ledger.operating import retry
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.ledger.verify import violations
from bridge.ledger.visit import change_and_wipe, look
from tests.unit.ledger.making import DRAFT, created, dead, forget, new_item, updated

BERTA = "Berta.Muster@example.org"
SMALL = BERTA.lower().encode()


def of_berta(key: str, **fields: object) -> object:
    item = new_item(key, event=replace(DRAFT, sender=BERTA), conversation=f"sender {BERTA.lower()}")
    return replace(item, message={"sender": BERTA, "subject": f"x{key}"}, **fields)  # type: ignore[arg-type] # of tests


def fill(conn: sqlite3.Connection) -> None:
    """Berta's items: delivered, dead, quarantined with a body, one that is sent just now; and one of Anna's."""
    accept(conn, [of_berta("sent"), new_item("anna")], None, now=1)  # type: ignore[list-item] # as above
    settle(conn, [(one, created(one.id)) for one in claim(conn, 9, now=1)], now=2)
    accept(conn, [of_berta("dead")], None, now=2)  # type: ignore[list-item] # as above
    words = replace(dead(), words=f"no customer {BERTA}")
    settle(conn, [(one, words) for one in claim(conn, 9, now=3)], now=3)
    raw = f'{{"from": "{BERTA}", "text": "{"long " * 3000}"}}'.encode()
    body = replace(
        new_item("body", kind="ticket", state=ItemState.QUARANTINED, event=None), raw=raw, message={}
    )
    accept(conn, [body, of_berta("now"), of_berta("next")], None, now=4)  # type: ignore[list-item] # as above


def test_what_stays_and_what_goes(conn: sqlite3.Connection) -> None:
    """Key, state, times and event ID stay; nothing else of the person does. Others are not touched."""
    fill(conn)
    assert holding(conn, BERTA).settled == ("sent", "dead", "body")
    assert holding(conn, BERTA).open == ("now", "next")
    before = queries.item(conn, "sent")
    done = forget(conn, BERTA, 9, drop_open=False)
    assert (done.items, done.dropped, holding(conn, BERTA).keys) == (3, 0, ("now", "next"))
    after = queries.item(conn, "sent")
    assert (after.state, after.acd_event_id, after.accepted_at) == ("created", before.acd_event_id, 1)
    assert (after.event, after.message) == (None, {"forgotten": True})
    assert queries.item(conn, "dead").state is ItemState.DEAD
    assert queries.item(conn, "anna").message["sender"] == "anna@example.org"
    assert holding(conn, BERTA).settled == ()
    assert violations(conn) == []


def test_open_items_only_when_asked(conn: sqlite3.Connection) -> None:
    """With the operator's word they are dropped; one whose request is under way is always left."""
    fill(conn)
    (under_way,) = claim(conn, 1, now=5)
    done = forget(conn, BERTA, 9, drop_open=True)
    assert (done.dropped, holding(conn, BERTA).keys) == (1, (under_way.key,))
    assert queries.item(conn, "next").state is ItemState.FILTERED
    settle(conn, [(under_way, created(77))], now=10)
    assert forget(conn, BERTA, 9, drop_open=False).items == 1
    assert holding(conn, BERTA).keys == ()
    assert violations(conn) == []


@pytest.mark.parametrize("rounds", [1, 40])
def test_the_bytes_are_gone(path: Path, rounds: int) -> None:
    """Nothing of the address is left to be read in the file or beside it: not in free pages, nor in the WAL."""
    conn = open_for_writing(path)
    fill(conn)
    for number in range(rounds):
        accept(conn, [of_berta(f"more{number}", state=ItemState.FILTERED)], None, now=6)  # type: ignore[list-item] # as above
    conn.execute("DELETE FROM items WHERE key LIKE 'more1%'")
    conn.close()
    assert SMALL in bytes_of(path).lower()
    keys = look(path, partial(holding, address=BERTA)).keys
    items = partial(forget_items, keys=keys, now=9, drop_open=True)
    (done, _), wiped = change_and_wipe(path, [items, partial(forget_records, address=BERTA)])
    assert (wiped, done.items) == (True, len(keys))
    assert SMALL not in bytes_of(path).lower()


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


@pytest.mark.parametrize("address", ['"quo\\"ted"@example.org', "%_@example.org", "ümlaut@exämple.org"])
def test_unusual_addresses(conn: sqlite3.Connection, address: str) -> None:
    """Signs that mean something to JSON or to SQL's patterns are only themselves."""
    item = replace(new_item("odd", state=ItemState.FILTERED), message={"sender": address})
    accept(conn, [item, new_item("anna", state=ItemState.FILTERED)], None, now=1)
    assert holding(conn, address).settled == ("odd",)


@pytest.mark.parametrize("written", ["ÖZGE@example.org", "özge@example.org", "Özge@Example.org"])
def test_small_letters_of_any_script(conn: sqlite3.Connection, written: str) -> None:
    """However the address is written, in a mail, in a kept body, in records beside items or on the command line."""
    loop = LoopNote(f"sender support\0{written.lower()}", "key", 3, 1)
    item = replace(new_item("mail", state=ItemState.FILTERED), message={"sender": written})
    body = replace(
        new_item("body", kind="ticket", state=ItemState.QUARANTINED, event=None),
        message={},
        raw=json.dumps({"from": written}).encode(),
    )
    accept(conn, [item, body], None, now=1, flood=FloodNotes(loops=[loop]))
    conn.execute(
        "INSERT INTO duplicates (kind, at, key, source, sender, subject, ticket_number) "
        "VALUES ('updated', 1, 'gone', 'support', ?, '', '')",
        (written,),
    )
    for address in ("ÖZGE@EXAMPLE.ORG", "özge@example.org"):
        found = holding(conn, address)
        assert (found.settled, found.duplicates) == (("mail", "body"), 1)
    done = forget_records(conn, "Özge@example.org")
    assert (done.duplicates, done.loops) == (1, 1)


def test_records_of_items_that_are_gone(conn: sqlite3.Connection) -> None:
    """A record of a duplicate outlives its item, and so does the word about a loop: neither names the person then."""
    loop = LoopNote(f"sender support\0{BERTA.lower()}", "key", 3, 1)
    accept(conn, [of_berta("first"), of_berta("second")], None, now=1, flood=FloodNotes(loops=[loop]))  # type: ignore[list-item] # as above
    for end in (created(7), updated(7)):
        settle(conn, [(one, end) for one in claim(conn, 1, now=1)], now=2)
    remove_settled(conn, before=9)
    assert holding(conn, BERTA).duplicates == 1
    done = forget_records(conn, BERTA)
    assert (done.duplicates, done.loops) == (1, 1)
    (record,) = newest(conn, 9)
    assert (record.sender, record.subject, record.acd_event_id, record.key) == ("", "", 7, "second")
    assert holding(conn, BERTA).duplicates == 0


def test_what_changed_meanwhile_is_judged_anew(conn: sqlite3.Connection) -> None:
    """Between the look and the change an item may have been retried, or removed."""
    fill(conn)
    keys = holding(conn, BERTA).settled
    retry(conn, ["dead"], now=5)
    conn.execute("DELETE FROM items WHERE key = 'sent'")
    assert forget_items(conn, keys, now=9, drop_open=False).items == 1
    assert queries.item(conn, "dead").message["sender"] == BERTA
