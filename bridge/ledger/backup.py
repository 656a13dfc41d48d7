"""A copy of the state file, made while the service works on it."""

import os
import re
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from bridge.errors import StateFileError
from bridge.ledger.file import explained, open_for_reading

LEFT_OVER_SECONDS: Final = 86_400.0
"""A copy that nothing was written to for so long is not being made any more."""
_PART: Final = ".part"


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
    with suppress(OSError):  # tidying up keeps no copy from being made
        _remove_left_over(target)
    with explained(target):
        # Its name is by chance, not by process: in a container the next one has the number of one that was killed.
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_PART, dir=target.parent)
        os.close(number)
    temporary = Path(name)
    try:
        _copy(path, temporary)
        with explained(target):
            _name(temporary, target, replace=replace)
            return target.stat().st_size
    finally:
        temporary.unlink(missing_ok=True)


def _remove_left_over(target: Path) -> None:
    """Copies of this name that were begun and killed; one that is being made is younger."""
    form = re.compile(rf"\.{re.escape(target.name)}\.\w+{re.escape(_PART)}(-journal)?")
    for file in target.parent.iterdir():
        if form.fullmatch(file.name) and time.time() - file.lstat().st_mtime > LEFT_OVER_SECONDS:
            file.unlink(missing_ok=True)


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
