"""The points between two steps, at which the process may die and an operation may fail.

The torture tests enumerate them, and end or fail each. In service nobody watches: a point costs one comparison.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

Watcher = Callable[["Point"], None]


class Point(StrEnum):
    """A point on the way of the data. What stands before it has happened, what stands behind it has not."""

    FILE_OPENED = "file-opened"  #: The state file is there, and may be empty still.
    SCHEMA_BEGINS = (
        "schema-begins"  #: A version of its schema is about to be made; those before it are on disk.
    )
    READ_BEGINS = "read-begins"  #: The state file is about to be read.
    WRITE_BEGINS = "write-begins"  #: A batch is taken from the queue, no transaction is open.
    WRITE_DONE = "write-done"  #: Everything of a batch is written, nothing is committed.
    WRITE_COMMITTED = "write-committed"  #: The batch is on disk, nobody was told.
    COMMAND_LEAVES = "command-leaves"  #: An IMAP command is about to be sent.
    COMMAND_ANSWERED = "command-answered"  #: The mail server has acted and answered.
    WINDOW_READ = "window-read"  #: Mails were read, neither they nor the cursor are stored.
    WINDOW_STORED = "window-stored"  #: Items and cursor are on disk.
    ORDER_WRITTEN = "order-written"  #: The order to read old mail is on disk, the folder's baseline is not.
    HISTORY_READ = "history-read"  #: Old mails were read, neither they nor the order's place are stored.
    RENUMBERED_READ = (
        "renumbered-read"  #: What is new in a folder that was numbered anew is known, and not stored.
    )
    RENUMBERED_STORED = (
        "renumbered-stored"  #: That is on disk, and the cursor is still that of the old numbers.
    )
    ACCESS_GRANTED = "access-granted"  #: A token server has given a token; a new refresh token is not kept.
    HOOK_BELIEVED = "hook-believed"  #: A webhook is genuine and read, and is not stored.
    HOOK_STORED = "hook-stored"  #: Its item is on disk, it is not answered.
    POST_BEGINS = "post-begins"  #: An attempt is on disk, its request is not sent.
    REQUEST_LEAVES = "request-leaves"  #: A request to the ACD is about to be sent.
    REQUEST_ANSWERED = "request-answered"  #: The ACD has acted and answered; its answer's body is not read.
    POST_ENDED = "post-ended"  #: The outcome is known, and not written down.
    LIST_READ = "list-read"  #: The ACD's list was read for doubts, none is resolved.
    DOUBTS_RESOLVED = "doubts-resolved"  #: What the list told is on disk.
    ACTIONS_BEGIN = "actions-begin"  #: Mails of settled items are known, nothing is done with them.
    ACTIONS_ENDED = "actions-ended"  #: What was done with them is not written down.
    STOP_BEGINS = "stop-begins"  #: The service was told to stop, nothing is closed.
    FILE_CLOSES = (
        "file-closes"  #: Everything else has ended, and the WAL is not yet emptied into the state file.
    )


_watcher: Watcher | None = None


def passing(point: Point) -> None:
    """Tell a watching test that this point is reached; it may raise, or end the process."""
    if _watcher is not None:
        _watcher(point)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Let a test watch every point. Points of the ledger's writer are passed in its thread."""
    global _watcher  # noqa: PLW0603 - one process has one watcher, as it has one torture
    before, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = before
