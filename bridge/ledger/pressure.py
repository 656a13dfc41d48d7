"""Whether more can be taken in: a decision as a value, and how the state file stands for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import IntakePausedError
from bridge.ledger.state import OPEN

EASED_SHARE = 0.9
"""What was too much is enough again when it is below this share of its bound, so that it does not flutter."""
EASED_FREE = 1.25
"""The same for the disk: so many times the bound must be free."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """Why nothing more is taken in, in words; empty where it is."""

    live: str = ""
    history: str = ""
    """The same for old mail, which stops earlier: it can wait."""

    def check(self, *, history: bool) -> None:
        """Raise IntakePausedError where nothing more is taken in."""
        why = self.history if history else self.live
        if why:
            raise IntakePausedError(
                f"nothing is taken in for now: {why}",
                hint="mail stays on its server and helpdesks are asked to come again; it goes on by itself",
            )


NO_PRESSURE = Pressure()


@dataclass(frozen=True, slots=True)
class Bounds:
    """`state.most_open` and `state.least_free`, the second in bytes."""

    most_open: int
    least_free: int


def pressure_of(before: Pressure, *, waiting: int, free: int, bounds: Bounds) -> Pressure:
    """How it stands with so many items that wait and so many bytes free, after it stood as `before`."""
    needed = bounds.least_free * (EASED_FREE if before.live else 1)
    full = f"only {free} bytes are free on the state file's disk" if free < needed else ""
    return Pressure(
        live=full or _too_many(waiting, bounds.most_open, was=bool(before.live)),
        history=full or _too_many(waiting, bounds.most_open // 2, was=bool(before.history)),
    )


def _too_many(waiting: int, most: int, *, was: bool) -> str:
    return f"{waiting} items wait to be posted" if waiting >= most * (EASED_SHARE if was else 1) else ""


def waiting(totals: Mapping[str, int]) -> int:
    """How many items wait for the ACD or for an operator."""
    return sum(totals.get(state, 0) for state in OPEN)


def free_bytes(path: Path) -> int:
    """How many bytes are free for this file's owner. Raises OSError."""
    there = os.statvfs(path.parent)
    return there.f_bavail * there.f_frsize
