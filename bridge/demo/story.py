"""What happens in the demo, and when: values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """A customer writes to the shared inbox."""

    sender: str
    subject: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """The helpdesk posts a webhook. A forged one is signed with a wrong secret."""

    number: str
    event: str
    subject: str
    sender: str
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Outage:
    """The ACD answers 503 for this share of the demo's time."""

    share: float


@dataclass(frozen=True, slots=True)
class Step:
    """Something happens at this share of the demo's time."""

    at: float
    act: Mail | Ticket | Outage


OLD_MAILS = 40
"""So many are in the inbox before the bridge starts, and are left alone."""
OUTAGE = Outage(share=0.2)

_AUTO_REPLY = (("Auto-Submitted", "auto-replied"),)
_URGENT = (("Importance", "high"),)

_TOLD = (
    Step(0.02, Mail("anna@customer.example", "The printer is on strike again")),
    Step(0.06, Ticket("10081", "ticket.created", "VPN drops every hour", "bo@customer.example")),
    Step(0.10, Mail("jürgen@kunde.example", "Rückfrage zur Rechnung für Größe XL")),
    Step(0.14, Mail("away@customer.example", "Out of office", _AUTO_REPLY)),
    Step(0.18, Ticket("10081", "ticket.customer_replied", "VPN drops every hour", "bo@customer.example")),
    Step(
        0.22,
        Ticket(
            "10082", "ticket.created", "This one is not from the helpdesk", "eve@evil.example", forged=True
        ),
    ),
    Step(0.26, Mail("cleo@customer.example", "Nothing works any more", _URGENT)),
    Step(0.32, OUTAGE),
    Step(0.36, Ticket("10083", "ticket.created", "New laptop wanted", "dan@customer.example")),
    Step(0.60, Ticket("10083", "ticket.updated", "New laptop wanted", "dan@customer.example")),
    Step(0.66, Mail("", "Even a mail without a sender becomes an event")),
)
_QUESTIONS = (
    "Where is my parcel?",
    "Cannot log in",
    "Invoice 4711",
    "Please call me back",
    "A word of thanks",
)
FILLERS = 24


def story() -> list[Step]:
    """All steps in the order of their time: what is told above, and everyday mail in between."""
    everyday = [
        Step(0.05 + 0.8 * n / FILLERS, Mail(f"customer{n}@customer.example", _QUESTIONS[n % len(_QUESTIONS)]))
        for n in range(FILLERS)
    ]
    return sorted((*_TOLD, *everyday), key=lambda step: step.at)
