import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import StateFileError
from bridge.ledger import queries
from bridge.ledger.file import ServiceLock, migrations, open_for_reading, open_for_writing
from bridge.ledger.visit import change, look


def test_the_file_survives_power_cuts_by_its_settings(conn: sqlite3.Connection) -> None:
    """WAL and synchronous=FULL (2) are what the promise rests on; they are asked of the open file."""
    assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())


def test_a_file_is_opened_again_as_it_was(path: Path) -> None:
    """Opening a second time applies no migration again."""
    open_for_writing(path).close()
    open_for_writing(path).close()
    assert look(path, queries.totals)["pending"] == 0


def test_an_older_file_keeps_its_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the first version is brought up to date, and what it holds is still there."""
    everything = migrations()
    monkeypatch.setattr("bridge.ledger.file.migrations", lambda: everything[:1])
    with closing(open_for_writing(path)) as old:
        old.execute("INSERT INTO cursors VALUES ('support', 'INBOX', 7, 1, 41, 1, 1)")
    monkeypatch.setattr("bridge.ledger.file.migrations", lambda: everything)
    with closing(open_for_writing(path)) as new:
        assert new.execute("PRAGMA user_version").fetchone()[0] == len(everything)
        assert new.execute("SELECT last_uid FROM cursors").fetchone()[0] == 41
        assert new.execute("SELECT count(*) FROM readings").fetchone()[0] == 0


def test_a_newer_file_is_refused_with_both_versions(path: Path, conn: sqlite3.Connection) -> None:
    """An older program must not touch a newer file, and says which versions are meant."""
    newer = len(migrations()) + 1
    conn.execute(f"PRAGMA user_version = {newer}")
    with pytest.raises(StateFileError, match=f"version {newer}.*up to {len(migrations())}") as caught:
        open_for_writing(path)
    assert "newer version" in caught.value.hint
    with pytest.raises(StateFileError, match="newer"):
        open_for_reading(path)


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    """Garbage in place of the state file is an error, and stays untouched for whoever wants to look."""
    garbage = b"this is not a database" * 100
    path.write_bytes(garbage)
    with pytest.raises(StateFileError, match=r"damaged, or no SQLite database"):
        open_for_writing(path)
    assert path.read_bytes() == garbage


def test_another_programs_database_is_refused(path: Path) -> None:
    """A wrong path in the configuration must not add our tables to somebody's database."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(StateFileError, match="not one of acd-bridge"):
        open_for_writing(path)


def test_damage_inside_the_file_is_found_when_it_is_opened(path: Path) -> None:
    """Overwritten pages are noticed before anything is written into them."""
    conn = open_for_writing(path)
    conn.executemany(
        "INSERT INTO attempts (item_id, number, started_at, digest) VALUES (?, 1, 1, ?)",
        [],
    )
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(StateFileError, match="damaged"):
        open_for_writing(path)


def test_a_missing_file_is_an_error_for_readers(path: Path) -> None:
    """Commands do not make an empty state file by looking for one."""
    with pytest.raises(StateFileError, match="there is no state file"):
        look(path, queries.totals)
    with pytest.raises(StateFileError, match="there is no state file"):
        change(path, queries.totals)
    assert not path.exists()


def test_an_empty_file_is_said_to_be_empty(path: Path) -> None:
    """A reader says that there is nothing in it and who fills it; the service may still make it."""
    path.touch()
    with pytest.raises(StateFileError, match="is empty") as caught:
        open_for_reading(path)
    assert "the service will make it" in caught.value.hint
    open_for_writing(path).close()
    open_for_reading(path).close()


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    """A reader does not blame the disk for a path that is a folder."""
    with pytest.raises(StateFileError, match="is a folder"):
        open_for_reading(tmp_path)


def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    """The error names the file and tells what to check."""
    with pytest.raises(StateFileError, match=r"nowhere/state\.db") as caught:
        open_for_writing(tmp_path / "nowhere" / "state.db")
    assert "permissions" in caught.value.hint


def test_only_one_service_works_on_a_file(path: Path) -> None:
    """A second service is told that the first is there; when that one ends, the next may begin."""
    lock = ServiceLock.take(path)
    with pytest.raises(StateFileError, match="another acd-bridge already works"):
        ServiceLock.take(path)
    lock.release()
    ServiceLock.take(path).release()


def test_a_change_by_a_command_is_all_or_nothing(path: Path, conn: sqlite3.Connection) -> None:
    """A write function that fails half way leaves nothing behind."""

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO totals VALUES ('x', 1)")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        change(path, half)
    assert conn.execute("SELECT count(*) FROM totals").fetchone()[0] == 0


def test_a_first_start_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    """A file that has WAL mode and nothing else, as a crash before the first migration leaves it, is taken as new."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    with closing(open_for_writing(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
