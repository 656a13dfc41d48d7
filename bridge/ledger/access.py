"""What the parts of the ledger that have an interface of their own are given of the state file."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Access(Protocol):
    """A way to run a function on the state file, for reading or for writing."""

    def __call__(self, function: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]:
        """The function's answer; of a write function once it is on disk. Raises StateFileError."""
        ...
