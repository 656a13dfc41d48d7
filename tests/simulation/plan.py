"""What one seed does: how long, how much is handed in, how the bridge is configured, and which weather there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

from bridge.config.model import Config
from tests.simulation.people import moments
from tests.simulation.weather import SLOWEST_ACD, SPELLS, Spell

HOUR = 3600.0
DESK_PORT = 8080


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn before the run."""

    seed: int
    hours: float
    tickets: tuple[int, ...]
    """How many tickets each conversation has."""
    mails: tuple[int, ...]
    """How many mails each has."""
    twins: int
    """How many mails say the same."""
    spells: tuple[Spell, ...] = SPELLS

    @classmethod
    def of(cls, seed: int, spells: tuple[Spell, ...] = SPELLS) -> Self:
        """Most runs are hours, some are days, and a few are weeks."""
        dice = Random(seed)
        hours = dice.uniform(0.5, 5)
        if seed % 20 == 7:
            hours = dice.uniform(24, 72)
        if seed % 100 == 49:
            hours = dice.uniform(7 * 24, 21 * 24)
        more = 1 if hours < 24 else 4
        return cls(
            seed=seed,
            hours=hours,
            tickets=tuple(dice.choice((1, 2, 4, 7)) for _ in range(more * dice.randrange(2, 9))),
            mails=tuple(dice.choice((1, 1, 2, 4)) for _ in range(more * dice.randrange(2, 12))),
            twins=Random(f"twins {seed}").choice((0, 5, 10, 15)),
            spells=spells,
        )

    @property
    def seconds(self) -> float:
        """How long people work and the weather blows."""
        return self.hours * HOUR

    @property
    def alone(self) -> frozenset[str]:
        """Labels of mails that are a conversation by themselves."""
        return frozenset(f"m{at} 1" for at, number in enumerate(self.mails) if number == 1)

    def moments(self, conversations: Sequence[int], dice: Random, begin: float) -> list[list[float]]:
        """When the messages of each conversation are written."""
        within = self.seconds * 0.9
        return [[begin + at for at in moments(dice, number, within)] for number in conversations]

    def moments_of_twins(self, begin: float) -> list[float]:
        """Some come within seconds each time."""
        dice = Random(f"moments of twins {self.seed}")
        heaps = [begin + dice.uniform(0, self.seconds * 0.9) for _ in range(self.twins // 5)]
        return sorted(heap + dice.expovariate(1 / 5) for heap in heaps for _ in range(5))

    def pauses(self) -> dict[str, float]:
        """Constants that only bound how late is seen what another process did; each look costs real time here."""
        longer = max(1.0, self.hours / 12)
        return {
            "bridge.app.PRESSURE_EVERY_SECONDS": 300.0 * longer,
            "bridge.delivery.worker.LOOK_AGAIN_SECONDS": 20.0 * longer,
            "bridge.delivery.reconciler.LOOK_EVERY_SECONDS": 60.0 * longer,
            "bridge.intake.imap.after_delivery_keeper.LOOK_EVERY_SECONDS": 120.0 * longer,
        }

    def config(self, dice: Random, folder: Path, *, acd_url: str, token: str, mail_port: int) -> Config:
        """The bridge's configuration."""
        acd = {
            "url": acd_url,
            "clients_id": 1,
            "token": token,
            "give_up_after": "60d",
            "settle": SLOWEST_ACD + 5,
        }
        return Config.model_validate(
            {
                "acd": acd | {"concurrency": dice.choice((1, 2, 8))},
                "state": {"path": str(folder / "state.db"), "least_free": 0},
                "mailbox": [self._mailbox(dice, mail_port)],
                "webhook": [{"name": "desk", "unsigned": True}],
                "listen": {"webhooks": f"127.0.0.1:{DESK_PORT}"},
                "route": [
                    {
                        "name": "tickets",
                        "when": "kind == 'ticket'",
                        "event": {"type": "Ticket", "group": dice.choice(("Billing", "Support"))},
                    },
                    {"name": "mails", "event": {"type": "Email", "group": "Support"}},
                ],
            }
        )

    def _mailbox(self, dice: Random, port: int) -> dict[str, Any]:
        return {
            "name": "support",
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "username": "support",
            "password": "secret",
            "poll": dice.choice((60, 300)) * min(12, max(1, round(self.hours / 24))),
            "timeout": dice.choice((10, 60)),
            "after_delivery": dice.choice(({"action": "none"}, {"action": "move", "folder": "Done"})),
        }
