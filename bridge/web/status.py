"""How the bridge stands, as values: what the status page, `/status.json` and `systemctl status` show."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.ledger.state import OPEN, ItemState

NEEDS_A_PERSON = (ItemState.HELD, ItemState.QUARANTINED, ItemState.DEAD)
"""States that an item leaves only by an operator's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One moment's state. The tables' keys become columns of the page, in their order."""

    version: str
    started_at: datetime
    """Aware, in UTC."""
    mailboxes: list[dict[str, Any]]
    """One for each mailbox: `name`, and `folders` with a table for each; see `folders`."""
    webhooks: list[dict[str, Any]]
    items: dict[str, int]
    """Number of items by state; states that are not named have none."""
    oldest_open_age: float | None
    """Seconds since the oldest item that is not settled was stored; None where all are settled."""
    paused: str | None
    """Why nothing is posted to the ACD, or None."""
    follow_up: list[dict[str, Any]] = field(default_factory=list)
    """One row where events are followed in the ACD: how many, and how late the oldest look is."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    """One row for each receiver of notices."""

    def waiting(self) -> int:
        """Number of items that are not settled."""
        return sum(self.items.get(state, 0) for state in OPEN)

    def needs_a_person(self) -> dict[str, int]:
        """The states, with their numbers, that wait for an operator."""
        counted = {str(state): self.items.get(state, 0) for state in NEEDS_A_PERSON}
        return {state: number for state, number in counted.items() if number}

    def folders(self) -> list[dict[str, Any]]:
        """One row for each watched folder, with what is said of its mailbox; its moments as times."""
        return [
            _row(mailbox, folder) for mailbox in self.mailboxes for folder in mailbox.get("folders", [{}])
        ]

    def disconnected(self) -> dict[str, list[str]]:
        """The mailboxes that are not wholly connected, each with those of its folders."""
        lost: dict[str, list[str]] = {}
        for row in self.folders():
            if row.get("connected") is False:
                lost.setdefault(row["name"], []).append(str(row.get("folder", "")))
        return lost

    def line(self) -> str:
        """The operator's one line: `2/2 mailboxes connected; 0 waiting`, and what is wrong after it."""
        there = len(self.mailboxes)
        parts = [f"{there - len(self.disconnected())}/{there} mailboxes connected"] if there else []
        parts.append(f"{self.waiting()} waiting")
        parts += [f"{number} {state}" for state, number in self.needs_a_person().items()]
        if self.paused:
            parts.append(f"paused: {self.paused}")
        return "; ".join(parts)


def _row(mailbox: dict[str, Any], folder: dict[str, Any]) -> dict[str, Any]:
    row = {key: value for key, value in (mailbox | folder).items() if key != "folders"}
    moments = {key: row[key] for key in ("last_look", "last_audit") if isinstance(row.get(key), int | float)}
    return row | {key: datetime.fromtimestamp(moment, UTC) for key, moment in moments.items()}
