"""The demo's board: each message with its route, event, outcome and latency; a live table or plain lines."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bridge.ledger.item import Item
from bridge.ledger.state import OPEN

ROWS = 24
"""So many of the newest messages are shown at once."""

_COLOURS = {
    "created": "green",
    "updated": "cyan",
    "filtered": "dim",
    "quarantined": "red",
    "dead": "red",
    "uncertain": "yellow",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One message as it is shown."""

    key: str
    what: str
    subject: str
    route: str
    event: str
    outcome: str
    latency: str
    settled: bool

    def cells(self) -> tuple[str, ...]:
        """The columns' texts."""
        return self.what, self.subject, self.route, self.event, self.outcome, self.latency


COLUMNS = ("came as", "subject", "route", "event", "outcome", "latency")


def row_of(item: Item, handed_in: Mapping[str, float]) -> Row:
    """The row of an item. `handed_in` says when each message was (seconds since 1970), by Message-ID or delivery."""
    began = handed_in.get(item.message.get("message_id", "").strip("<>")) or handed_in.get(item.place)
    latency = ""
    if item.settled_at is not None and began is not None:
        latency = f"{max(0.0, item.settled_at - began * 1000):.0f} ms"
    return Row(
        key=item.key,
        what="mail" if item.kind == "mail" else f"ticket {item.message.get('ticket_number', '')}",
        subject=item.message.get("subject", ""),
        route=item.route or "",
        event=str(item.acd_event_id or ""),
        outcome=f"{item.state}" + (f" ({item.reason})" if item.reason else ""),
        latency=latency,
        settled=item.state not in OPEN,
    )


class LiveBoard:
    """A table on a terminal that follows what happens."""

    def __init__(self) -> None:
        self._live = Live(console=Console(stderr=False), refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, rows: Sequence[Row], news: str) -> None:
        """Show the newest rows, and what is happening at the moment."""
        table = Table(*COLUMNS, title=news, title_justify="left", expand=True)
        for row in rows[:ROWS]:
            table.add_row(*row.cells(), style=_COLOURS.get(row.outcome.split()[0], ""))
        self._live.update(table)


class PlainBoard:
    """Lines for a log: one for each message when it is settled, one for each piece of news."""

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._news = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def show(self, rows: Sequence[Row], news: str) -> None:
        """Print what was not printed yet."""
        if news != self._news:
            self._news = news
            sys.stdout.write(f"-- {news}\n")
        for row in reversed(rows):
            if row.settled and row.key not in self._shown:
                self._shown.add(row.key)
                sys.stdout.write("  ".join(cell for cell in row.cells() if cell) + "\n")
        sys.stdout.flush()
