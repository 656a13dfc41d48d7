"""The auditor sees each thing that can be wrong; an audit that cannot fail would prove nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.ledger.file import open_for_writing
from tests.torture.auditor import Done, Findings, Row, audit, broken_invariants

HANDED_IN = ["a 1", "a 2"]
DONE = [Done("a 1", 7), Done("a 2", 8)]
ROWS = [Row("a 1", "created", 7), Row("a 2", "created", 8)]
ITEM = (
    "INSERT INTO items (key, source, kind, place, conversation, state, turn, received_at, accepted_at, due_at, "
    "message, attempts) VALUES (?, 's', 'ticket', 'p', 'c', ?, ?, 1, 1, 1, '{}', ?)"
)


def test_all_is_well() -> None:
    """Each message has one event and one item, in order: nothing is found."""
    assert not audit(HANDED_IN, DONE, ROWS)


def test_a_second_update_is_no_fault() -> None:
    """An update whose answer was lost may be done again; it makes no second event."""
    again = [Done("a 1", 7), Done("a 2", 7, created=False), Done("a 2", 7, created=False)]
    assert not audit(HANDED_IN, again, [ROWS[0], Row("a 2", "updated", 7)])


@pytest.mark.parametrize(
    ("events", "items", "found"),
    [
        (2, 2, Findings()),
        (1, 2, Findings(lost=("same 1",))),
        (3, 2, Findings(doubled=("same 1",))),
        (2, 3, Findings(unaccounted=("same 1",))),
        (2, 1, Findings(unaccounted=("same 1",))),
    ],
)
def test_messages_that_say_the_same_are_counted(events: int, items: int, found: Findings) -> None:
    """Which of them has which event is nobody's business; that there are as many is."""
    done = [Done("same 1", number) for number in range(events)]
    rows = [Row("same 1", "created", number % events) for number in range(items)]
    assert audit(["same 1"] * 2, done, rows) == found


@pytest.mark.parametrize(
    ("done", "rows", "found"),
    [
        (DONE[:1], [ROWS[0], Row("a 2", "dead")], Findings(lost=("a 2",))),
        ([*DONE, Done("a 2", 9)], ROWS, Findings(doubled=("a 2",))),
        (DONE[::-1], ROWS, Findings(out_of_order=("a",))),
        (DONE, ROWS[:1], Findings(unaccounted=("a 2",))),
        (DONE, [*ROWS, ROWS[1]], Findings(unaccounted=("a 2",))),
        (DONE, [ROWS[0], Row("a 2", "uncertain")], Findings(still_open=("a 2",))),
        (DONE, [ROWS[0], Row("a 2", "created", 7)], Findings(misnoted=("a 2",))),
    ],
)
def test_each_fault_is_found(done: list[Done], rows: list[Row], found: Findings) -> None:
    """One fault at a time is found, and named as what it is."""
    assert audit(HANDED_IN, done, rows) == found
    assert found


@pytest.mark.parametrize(
    ("items", "invariant"),
    [
        ([("k", "sending", 1, 0)], "an item under way has no open attempt"),
        ([("k", "created", 1, 0)], "a posted item has no attempt or no event"),
        ([("k", "pending", 1, 2)], "attempts are not numbered through"),
        ([("k", "pending", 0, 0)], "the oldest open item of a conversation has not its turn"),
    ],
)
def test_a_broken_ledger_is_found(
    tmp_path: Path, items: list[tuple[str, str, int, int]], invariant: str
) -> None:
    """Rows that contradict each other are found; an empty ledger is whole."""
    state = tmp_path / "state.db"
    open_for_writing(state).close()
    assert broken_invariants(state) == []
    with closing(sqlite3.connect(state)) as conn, conn:
        conn.executemany(ITEM, items)
    assert f"{invariant}: k" in broken_invariants(state)


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE totals SET items = 7", "the totals are not those of the items"),
        ("UPDATE attempts SET ended_at = NULL", "a settled item has an open attempt"),
        (
            (
                "INSERT INTO items (key, source, kind, place, conversation, state, turn, received_at, accepted_at, "
                "due_at, message, acd_event_id) VALUES ('l', 's', 'ticket', 'p', 'd', 'created', 1, 1, 1, 1, '{}', 5)"
            ),
            "an event belongs to two created items",
        ),
        (
            "INSERT INTO cursors VALUES ('s', 'INBOX', 3, 1, 2, 1, 1)",
            "a mail up to the cursor has no place",
        ),
    ],
)
def test_a_contradiction_is_found(tmp_path: Path, statement: str, invariant: str) -> None:
    """A whole ledger that is changed by hand in one place is found out."""
    state = tmp_path / "state.db"
    open_for_writing(state).close()
    with closing(sqlite3.connect(state)) as conn, conn:
        conn.execute(ITEM, ("k", "created", 1, 1))
        conn.execute("UPDATE items SET acd_event_id = 5")
        conn.execute(
            "INSERT INTO attempts (item_id, number, started_at, digest, ended_at) VALUES (1, 1, 1, '', 2)"
        )
        conn.execute("INSERT INTO numberings (source, folder, uidvalidity) VALUES ('s', 'INBOX', 3)")
    assert broken_invariants(state) == []
    with closing(sqlite3.connect(state)) as conn, conn:
        conn.execute(statement)
    assert any(one.startswith(invariant) for one in broken_invariants(state))
