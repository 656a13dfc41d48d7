"""What one item costs the state file, among few rows and among many: accepted, claimed and settled as the service does.

    python -m tests.bench.state_file [SMALL] [LARGE]

The cost is flat where the ratio is near 1. Both files are measured in turns, in one run.
"""

import hashlib
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bridge.ledger.accepting import accept
from bridge.ledger.file import open_for_writing
from bridge.ledger.item import NewItem
from bridge.ledger.outbox import turn
from tests.unit.ledger.making import created, new_item

BATCH = 500
PLACES = 16
ROUNDS = 5


class File:
    """A state file with so many settled items."""

    def __init__(self, path: Path, rows: int) -> None:
        self.path = path
        self.number = 0
        self.conn = open_for_writing(path)
        self.conn.execute("PRAGMA synchronous = OFF")  # only for filling it
        while self.number < rows:
            self.pass_on(BATCH)
        self.conn.execute("PRAGMA synchronous = FULL")

    def pass_on(self, items: int) -> None:
        """Take so many in and deliver them, with a commit for each step, as the service does."""
        conn = self.conn
        batch = [_mail(n) for n in range(self.number, self.number + items)]
        self.number += items
        conn.execute("BEGIN IMMEDIATE")
        accept(conn, batch, None, now=self.number)
        conn.execute("COMMIT")
        done: list[tuple[object, object]] = []
        while True:
            conn.execute("BEGIN IMMEDIATE")
            claimed = turn(conn, done, PLACES, now=self.number)  # type: ignore[arg-type] # items with their ends
            conn.execute("COMMIT")
            if not claimed and not done:
                return
            done = [(item, created(item.id)) for item in claimed]

    def cost(self) -> float:
        """Microseconds for one item."""
        began = time.perf_counter()
        self.pass_on(BATCH)
        return (time.perf_counter() - began) / BATCH * 1e6


def _mail(number: int) -> NewItem:
    """A mail with names of its own, in an order that is as random as theirs is."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    item = new_item(digest[:20], place=f"INBOX/1/{number}")
    names = {"ticket_number": f"DH-{number}", "message_id": f"{digest[20:]}@example.org"}
    return replace(item, message={**item.message, **names})


def main(small: int = 10_000, large: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [File(Path(folder) / f"{rows}.db", rows) for rows in (small, large)]
        costs = [[file.cost() for file in files] for _ in range(ROUNDS)]
        few, many = (statistics.median(column) for column in zip(*costs, strict=True))
        for rows, cost, file in zip((small, large), (few, many), files, strict=True):
            size = file.path.stat().st_size / 2**20
            sys.stdout.write(f"{rows} rows: {cost:.0f} us an item; file {size:.0f} MiB\n")
        sys.stdout.write(f"ratio: {many / few:.2f}\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
