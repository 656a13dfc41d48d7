"""What the configuration says about reading mails, ready to be used."""

from dataclasses import dataclass

from bridge.intake.mail.ticket_number import ALL_PRESETS, TicketForms


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """One for all mailboxes; `bridge.mail_rules` makes it from the configuration."""

    addresses: frozenset[str] = frozenset()
    """Our own addresses, in small letters."""
    tickets: TicketForms = ALL_PRESETS


PLAIN = ReadingRules()
"""Nothing is configured."""
