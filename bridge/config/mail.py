"""The table of mail reading, for every mailbox."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from bridge.config.values import Table

TicketPreset = Literal["otrs", "zammad", "glpi", "rt", "redmine", "jira", "osticket", "generic"]
TICKET_PRESETS: tuple[TicketPreset, ...] = get_args(TicketPreset)
"""Helpdesks whose ticket numbers `bridge.intake.mail.ticket_number` knows."""


class Mail(Table):
    """How mails are read, in every mailbox."""

    addresses: tuple[str, ...] = Field(
        (),
        strict=False,
        max_length=1000,
        description="Your own addresses; `recipient` is the one of them that a mail came for.",
    )
    ticket_presets: tuple[TicketPreset, ...] = Field(
        TICKET_PRESETS,
        strict=False,
        description="Helpdesks whose ticket numbers are looked for: "
        + ", ".join(f"`{one}`" for one in TICKET_PRESETS)
        + ".",
    )
    ticket_patterns: tuple[str, ...] = Field(
        (),
        strict=False,
        max_length=20,
        description="Your own regular expressions, each with one group around the number; they are looked for "
        "in the subject and in References and In-Reply-To, and are trusted most.",
    )

    @model_validator(mode="after")
    def _addresses_are_addresses(self) -> Self:
        for one in self.addresses:
            local, at_sign, domain = one.rpartition("@")
            if not (local and at_sign and domain) or any(sign.isspace() for sign in one):
                raise ValueError(f"{one!r} in addresses is no address like support@example.net")
        return self
