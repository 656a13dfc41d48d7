"""The state file itself: opening it, its schema, and clear words for what can be wrong with it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Self

from bridge.errors import StateFileError
from bridge.ledger.compact import prepare
from bridge.points import Point, passing

APPLICATION_ID = 0x41434442  # "ACDB"; tells this file from any other SQLite database
BUSY_MILLISECONDS = 10_000
QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Up to this size the whole file is checked when it is opened for writing; it takes below half a second."""


@cache
def migrations() -> tuple[str, ...]:
    """The SQL of every schema version, in order; the first makes version 1."""
    folder = resources.files("bridge.ledger") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return tuple(file.read_text(encoding="utf-8") for file in files)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the state file, make it where it is not there, and bring its schema up to date.

    `synchronous=FULL` in WAL mode: a committed transaction survives a power cut (sqlite.org/pragma.html).
    Raises StateFileError.
    """
    with explained(path):
        # It holds addresses and subjects: for its owner alone, whatever the umask is.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        passing(Point.FILE_OPENED)
        conn = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            if not _is_blank(conn):
                _check_identity(conn, path)
                _check_health(conn, path)
            prepare(conn, size=path.stat().st_size)
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            # What is overwritten or removed within a page does not stay there to be read (no further writing).
            conn.execute("PRAGMA secure_delete = FAST")
            conn.execute("PRAGMA foreign_keys = ON")
            _migrate(conn)
        except BaseException:
            conn.close()
            raise
        return conn


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the state file to read it, while the service may be writing. Raises StateFileError."""
    with explained(path):
        if not path.exists():
            raise StateFileError(
                f"there is no state file {str(path)!r}",
                hint="the service makes it at its first start; see state.path",
            )
        _check_is_filled(path)
        conn = _connect(f"{path.absolute().as_uri()}?mode=ro")
        try:
            _check_identity(conn, path)
            _check_not_older(conn, path)
        except BaseException:
            conn.close()
            raise
        return conn


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into a StateFileError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        what, hint = _words(error)
        raise StateFileError(f"state file {str(path)!r}: {what}", hint=hint) from error
    except OSError as error:
        raise StateFileError(
            f"state file {str(path)!r}: {error.strerror}",
            hint="check the path, its owner and its permissions",
        ) from error


def _words(error: sqlite3.Error) -> tuple[str, str]:
    # The low byte is the primary code of an extended one (sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                f"damaged, or no SQLite database ({error})",
                "keep the file, restore a backup, or move it away",
            )
        case sqlite3.SQLITE_FULL:
            return "the disk is full", "free some space; nothing that was accepted is lost"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return f"cannot be opened for this ({error})", "check the path, its owner and its permissions"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process keeps it locked", "find out which with `fuser`, and try again"
        case sqlite3.SQLITE_IOERR:
            return f"the disk failed ({error})", "look at the system's log for disk errors"
    return str(error), ""


def _connect(uri: str) -> sqlite3.Connection:
    conn = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MILLISECONDS / 1000
    )
    conn.row_factory = sqlite3.Row
    return conn


def _check_is_filled(path: Path) -> None:
    """Raise StateFileError for a folder and for an empty file, which SQLite explains badly."""
    if path.is_dir():
        raise StateFileError(
            f"{str(path)!r} is a folder, not a state file", hint="state.path must be the path of a file"
        )
    if path.stat().st_size == 0:
        raise StateFileError(
            f"the state file {str(path)!r} is empty",
            hint="the service will make it when it starts; if it ran before, restore a backup",
        )


def _is_blank(conn: sqlite3.Connection) -> bool:
    """Whether nothing was ever stored in it. It need not be empty: a first start that ended between choosing WAL
    and the first migration leaves a page that says no more than that.
    """
    pragmas = (conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return not any(pragmas) and conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _check_identity(conn: sqlite3.Connection, path: Path) -> None:
    """Raise StateFileError for another program's database and for a file of a newer version."""
    identity: int = conn.execute("PRAGMA application_id").fetchone()[0]
    if identity != APPLICATION_ID:
        raise StateFileError(
            f"{str(path)!r} is a database, but not one of acd-bridge",
            hint="check state.path in the configuration",
        )
    version, known = _version(conn), len(migrations())
    if version > known:
        raise StateFileError(
            f"{str(path)!r} was written by a newer version of acd-bridge "
            f"(its schema is version {version}, this program knows up to {known})",
            hint="install the newer version again, or restore a backup made with this one",
        )


def _check_not_older(conn: sqlite3.Connection, path: Path) -> None:
    if _version(conn) < len(migrations()):
        raise StateFileError(
            f"{str(path)!r} was written by an older version of acd-bridge",
            hint="start the service once; it brings the file up to date",
        )


def _check_health(conn: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return
    found = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StateFileError(
            f"state file {str(path)!r} is damaged: {found}",
            hint="keep the file, restore a backup, or move it away",
        )


def _version(conn: sqlite3.Connection) -> int:
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def _migrate(conn: sqlite3.Connection) -> None:
    """Apply what is missing, each version in a transaction of its own together with its number."""
    for number, script in enumerate(migrations(), start=1):
        if number > _version(conn):
            passing(Point.SCHEMA_BEGINS)
            conn.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )


class ServiceLock:
    """At most one service works on a state file: two would post everything twice."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take the lock beside the state file. Raises StateFileError where another process has it."""
        with explained(path):
            file = path.with_name(path.name + "-lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise StateFileError(
                f"another acd-bridge already works on {str(path)!r}",
                hint="stop it first, or give this one a state.path of its own",
            ) from error
        return cls(file)

    def release(self) -> None:
        """Give the lock back; the file stays, so that two starts never lock two different files."""
        self._file.close()
