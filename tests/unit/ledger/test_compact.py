"""Space that is given back, and files of earlier versions."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.compact import give_back
from bridge.ledger.duplicates import newest
from bridge.ledger.file import APPLICATION_ID, migrations, open_for_writing
from bridge.ledger.finding import find
from bridge.ledger.item import ItemFilter
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.ledger.verify import violations
from tests.unit.ledger.making import new_item


def test_what_was_removed_leaves_the_file(conn: sqlite3.Connection, path: Path) -> None:
    """In steps that are bounded, until the file has about the size of what is left."""
    accept(conn, [new_item(str(n), state=ItemState.FILTERED) for n in range(5000)], None, now=1)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    large = path.stat().st_size
    while remove_settled(conn, before=10):
        pass
    steps = []
    while given := give_back(conn, pages=100):
        steps.append(given)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(steps) > 3
    assert max(steps) <= 101  # a page that tells which pages are free goes with them
    assert path.stat().st_size < large / 2


@pytest.mark.parametrize("version", range(1, len(migrations()) + 1))
def test_a_file_of_every_released_version_is_taken_over(path: Path, version: int) -> None:
    """Its rows are there, all invariants hold, and it can give space back from then on."""
    with closing(sqlite3.connect(path)) as old:
        first, *later = migrations()[:version]
        for script in (first, ROWS_OF_VERSION_1, *later):
            old.executescript(script)
        old.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};")
    conn = open_for_writing(path)
    assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
    assert conn.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    assert violations(conn) == []
    assert [item.key for item in queries.items(conn, ItemFilter())] == ["k3", "k2", "k1"]
    assert queries.attempts(conn, 1)[0].acd_event_id == 70
    (repeat,) = newest(conn, 10)
    assert (repeat.acd_event_id, repeat.key, repeat.sender, repeat.at) == (70, "k2", "a@b.c", 6)
    assert (repeat.first_key, repeat.first_source, repeat.first_at) == ("k1", "support", 1)
    assert [item.key for item in find(conn, "4")] == ["k3"]
    accept(conn, [new_item("new")], None, now=9)
    assert queries.totals(conn)["pending"] == 2
    conn.close()


ROWS_OF_VERSION_1 = """
INSERT INTO items (key, source, kind, place, conversation, state, turn, attempts, received_at, accepted_at, due_at,
    settled_at, acd_event_id, event, digest, message)
VALUES
    ('k1', 'support', 'mail', 'INBOX/1/2', 'thread a', 'created', 1, 1, 1, 1, 1, 5, 70,
     '{"type":7,"sender":"a@b.c","subject":"s","group":1}', 'd', '{"sender":"a@b.c"}'),
    ('k2', 'support', 'mail', 'INBOX/1/3', 'thread a', 'updated', 1, 1, 1, 1, 1, 6, 70,
     '{"type":7,"sender":"a@b.c","subject":"s","group":1}', 'd', '{"sender":"a@b.c"}'),
    ('k3', 'desk', 'ticket', 'd-1', 'ticket desk 4', 'pending', 1, 0, 1, 1, 1, NULL, NULL,
     '{"type":7,"sender":"a@b.c","subject":"s","group":1}', 'd', '{"ticket_number":"4"}');
INSERT INTO attempts (item_id, number, started_at, digest, ended_at, outcome, acd_event_id)
VALUES (1, 1, 2, 'd', 5, 'created', 70), (2, 1, 3, 'd', 6, 'updated', 70);
INSERT INTO duplicates (acd_event_id, item_id, first_item_id, at) VALUES (70, 2, 1, 6);
INSERT INTO cursors VALUES ('support', 'INBOX', 1, 1, 3, 1, 1);
INSERT INTO numberings VALUES (1, 'support', 'INBOX', 1);
INSERT INTO places VALUES (1, 2, 'k1'), (1, 3, 'k2');
"""


def test_a_migration_that_breaks_off_leaves_the_version_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a migration is never in the file: the next start begins it anew."""
    open_for_writing(path).close()
    broken = (*migrations(), "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);")
    with monkeypatch.context() as patched:
        patched.setattr("bridge.ledger.file.migrations", lambda: broken)
        with pytest.raises(Exception, match="nowhere"):
            open_for_writing(path)
    conn = open_for_writing(path)
    assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
    assert conn.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0
    conn.close()
