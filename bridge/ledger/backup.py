"""A copy of the state file, made while the service works on it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.errors import StateFileError
from bridge.ledger.file import explained, open_for_reading


def back_up(path: Path, target: Path, *, replace: bool = False) -> int:
    """Copy the file as it stands at one moment; returns the copy's size in bytes. Raises StateFileError.

    It is one reading transaction, which holds up nobody in WAL mode (sqlite.org/wal.html). The copy is whole and on
    disk before it gets its name, belongs to its owner alone, and needs no other file beside it.
    """
    if target.resolve() in _own_files(path.resolve()):
        raise StateFileError(
            f"{str(target)!r} is a file that the service works on", hint="name a file elsewhere for the copy"
        )
    if target.exists() and not replace:
        raise _in_the_way(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    with explained(target):
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _copy(path, temporary)
        with explained(target):
            _name(temporary, target, replace=replace)
            return target.stat().st_size
    finally:
        temporary.unlink(missing_ok=True)


def _own_files(path: Path) -> set[Path]:
    """The state file, and those that stand beside it. Replaced, they would take with them what is newer."""
    return {path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm", "journal", "lock"))}


def _in_the_way(target: Path) -> StateFileError:
    return StateFileError(f"there is a file {str(target)!r} already", hint="name another, or give --force")


def _copy(path: Path, temporary: Path) -> None:
    with (
        closing(open_for_reading(path)) as source,
        explained(temporary),
        closing(sqlite3.connect(temporary, isolation_level=None)) as copy,
    ):
        source.backup(copy)
        # Without it the copy would need files for its WAL to be opened, also where nobody may write.
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StateFileError(
            f"the copy of {str(path)!r} is damaged: {found}",
            hint="run `acd-bridge state verify`, and look at the system's log for disk errors",
        )


def _name(temporary: Path, target: Path, *, replace: bool) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    if replace:
        temporary.replace(target)
    else:
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            raise _in_the_way(target) from None
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
