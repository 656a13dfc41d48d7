"""The demo's account: what was handed in, what became of it, and whether the two agree."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The numbers of both sides."""

    old_mails: int
    mails: int
    tickets: int
    refused: int
    """Webhooks that were answered 401, since their signature was wrong."""
    items: Mapping[str, int]
    """The bridge's items by state."""
    events: int
    """Events in the ACD."""
    duplicates: int
    """`UPDATED` answers on record."""

    def sums(self) -> list[tuple[str, int, int]]:
        """What must be equal: in words, and both numbers."""
        return [
            (
                "messages handed in and items in the state file",
                self.mails + self.tickets,
                sum(self.items.values()),
            ),
            ("items with a new event and events in the ACD", self.items.get("created", 0), self.events),
            (
                "items that went into an event and recorded duplicates",
                self.items.get("updated", 0),
                self.duplicates,
            ),
        ]

    def adds_up(self) -> bool:
        """Whether all of it agrees and nothing is left open, refused or lost."""
        left = sum(self.items.get(state, 0) for state in ("pending", "sending", "uncertain", "held", "dead"))
        return left == 0 and all(ours == theirs for _, ours, theirs in self.sums())

    def lines(self) -> list[str]:
        """The summary in words."""
        states = ", ".join(f"{number} {state}" for state, number in self.items.items() if number)
        came = f"{self.mails} mails and {self.tickets} tickets came in"
        return [
            f"{self.old_mails} old mails were left alone; {came}; {self.refused} forged webhook was refused",
            f"items: {states}",
            *(f"{words}: {ours} and {theirs}" for words, ours, theirs in self.sums()),
            "it adds up" if self.adds_up() else "IT DOES NOT ADD UP",
        ]
