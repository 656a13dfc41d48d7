"""What was repaired or left out while one mail was read."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Repairs:
    """A list that grows while one mail is read; it ends as `Message.notes` and `Message.degraded`.

    The words never hold any of the mail's own text, since notes are shown and logged.
    """

    notes: list[str] = field(default_factory=list)
    degraded: bool = False

    def repaired(self, what: str) -> None:
        """Something was not as the standards ask, and nothing is missing because of it."""
        if what not in self.notes:
            self.notes.append(what)

    def left_out(self, what: str) -> None:
        """A bound was reached: the message is read, and a part of it is missing."""
        self.degraded = True
        self.repaired(what)
