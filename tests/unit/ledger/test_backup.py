"""Copies of the state file."""

import os
import stat
from pathlib import Path

import pytest

from bridge.errors import StateFileError
from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.backup import back_up
from bridge.ledger.file import open_for_writing
from bridge.ledger.verify import violations
from bridge.ledger.visit import look, look_at_once
from tests.unit.ledger.making import new_item


def test_a_copy_while_the_service_writes(path: Path, tmp_path: Path) -> None:
    """It is whole, of one moment, a single file, and its owner's alone; what is written meanwhile goes on."""
    conn = open_for_writing(path)
    accept(conn, [new_item("a")], None, now=1)
    conn.execute("BEGIN IMMEDIATE")
    accept(conn, [new_item("b")], None, now=2)
    target = tmp_path / "copy.db"
    size = back_up(path, target)
    conn.execute("COMMIT")
    conn.close()
    assert size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert look(target, queries.totals)["pending"] == 1
    assert look(path, queries.totals)["pending"] == 2
    assert look_at_once(target, violations) == []
    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == ["copy.db"]


def test_a_copy_replaces_nothing_unasked(path: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is, unless the operator says so."""
    open_for_writing(path).close()
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StateFileError, match="already"):
        back_up(path, target)
    assert target.read_text() == "precious"
    back_up(path, target, replace=True)
    assert look_at_once(target, violations) == []


@pytest.mark.parametrize("name", ["state.db", "link.db", "state.db-wal", "state.db-shm", "state.db-lock"])
def test_the_files_that_the_service_works_on_are_never_replaced(
    path: Path, tmp_path: Path, name: str
) -> None:
    """Not even if asked for: what was taken in since the copy began would be lost, and the service would end."""
    conn = open_for_writing(path)
    accept(conn, [new_item("a")], None, now=1)
    (tmp_path / "link.db").symlink_to(path)
    before = path.stat().st_ino
    with pytest.raises(StateFileError, match="works on"):
        back_up(path, tmp_path / name, replace=True)
    conn.close()
    assert path.stat().st_ino == before
    assert look(path, queries.totals)["pending"] == 1


def test_a_copy_that_cannot_be_made_leaves_nothing(path: Path, tmp_path: Path) -> None:
    """Neither half a copy nor a temporary file; the error names the file."""
    with pytest.raises(StateFileError, match=r"state\.db"):
        back_up(path, tmp_path / "copy.db")
    open_for_writing(path).close()
    with pytest.raises(StateFileError, match="nowhere"):
        back_up(path, tmp_path / "nowhere" / "copy.db")
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_a_copy_that_was_killed_is_in_nobodys_way(path: Path, tmp_path: Path) -> None:
    """What it left is taken away once it is old, whoever has its process number now; other files stay."""
    open_for_writing(path).close()
    mine, others = (
        [f".copy.db.{os.getpid()}.part", ".copy.db.a1b2c3d4.part", ".copy.db.a1b2c3d4.part-journal"],
        [".copy.db.a1b2c3d4.part.txt", ".other.db.1.part", "copy.db.1.part"],
    )
    for name in (*mine, *others, ".copy.db.running.part"):
        (tmp_path / name).write_text("begun")
        os.utime(tmp_path / name, (1, 1) if "running" not in name else None)
    back_up(path, tmp_path / "copy.db")
    left = {file.name for file in tmp_path.iterdir() if "copy" in file.name or "other" in file.name}
    assert left == {"copy.db", ".copy.db.running.part", *others}


def test_a_copy_begun_in_this_minute_is_in_nobodys_way(path: Path, tmp_path: Path) -> None:
    """In a container the next process has the number of the one that was killed."""
    open_for_writing(path).close()
    (tmp_path / f".copy.db.{os.getpid()}.part").write_text("begun")
    back_up(path, tmp_path / "copy.db")
    assert look_at_once(tmp_path / "copy.db", violations) == []
