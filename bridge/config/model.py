"""The configuration file as values. The descriptions here are the reference page and the example's comments.

Every table is frozen and refuses unknown keys. What a value means beyond its form (does the route's template
compile, can the group be resolved) is checked by the room that owns it; see `bridge.check`.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, IPvAnyNetwork, model_validator

from bridge.config.acd import Acd
from bridge.config.flood import Flood
from bridge.config.follow_up import FollowUp, Notify
from bridge.config.mail import Mail
from bridge.config.mailbox import Mailbox
from bridge.config.route import Route
from bridge.config.same_case import SameCase
from bridge.config.values import Address, Table
from bridge.config.webhook import Webhook

MOST_DAYS = 1_000_000
"""As good as for ever, and still a time that the state file can be asked about."""


class State(Table):
    """The state file."""

    path: Annotated[Path, Field(strict=False)] = Field(
        Path("/var/lib/acd-bridge/state.db"), description="Where the state file is."
    )
    retention_days: int = Field(
        90, ge=1, le=MOST_DAYS, description="Days after which settled items may be removed."
    )
    duplicates_days: int = Field(
        730,
        ge=1,
        le=MOST_DAYS,
        description="Days after which the record of a duplicate is removed; it outlives its item.",
    )
    most_open: int = Field(
        100_000,
        ge=100,
        description="So many items that wait, and no more is taken in: mail stays on its server, webhooks are asked to "
        "come later. Old mail stops at half of it.",
    )
    least_free: int = Field(
        64 * 1024 * 1024,
        ge=0,
        description="With fewer bytes than that free on the state file's disk, no more is taken in.",
    )

    @model_validator(mode="after")
    def _duplicates_outlive_items(self) -> Self:
        if self.duplicates_days < self.retention_days:
            raise ValueError("duplicates_days must be at least retention_days: a record outlives its item")
        return self


class Listen(Table):
    """Where the bridge listens."""

    webhooks: Annotated[Address, Field(strict=False)] | None = Field(
        None, description="HOST:PORT for `POST /hooks/{name}`."
    )
    admin: Annotated[Address, Field(strict=False)] | None = Field(
        None, description="HOST:PORT for status page, `/metrics`, `/-/healthy` and `/-/ready`."
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), strict=False, description="Networks (CIDR) of proxies whose X-Forwarded-For is believed."
    )


class Config(Table):
    """The whole file. Rules across its tables are in `bridge.config.whole`."""

    acd: Acd = Field(description="The ACD's REST API.")
    state: State = Field(default_factory=State, description="The state file.")
    mailbox: tuple[Mailbox, ...] = Field(
        (), strict=False, description="The mailboxes, each with its own head."
    )
    webhook: tuple[Webhook, ...] = Field(
        (), strict=False, description="The webhooks, each with its own head."
    )
    same_case: tuple[SameCase, ...] = Field(
        (),
        strict=False,
        description="Sources that bring the same cases, each list of them with its own head.",
    )
    mail: Mail = Field(default_factory=Mail, description="How mails are read, in every mailbox.")
    listen: Listen = Field(default_factory=Listen, description="Where the bridge listens.")
    flood: Flood = Field(
        default_factory=Flood, description="When what comes is held as a flood, for an operator's word."
    )
    follow_up: FollowUp = Field(
        default_factory=FollowUp,
        description="How events are followed in the ACD, for routes that ask for it.",
    )
    notify: tuple[Notify, ...] = Field(
        (), strict=False, description="Who is told of the end of events, each with its own head."
    )
    route: tuple[Route, ...] = Field(
        strict=False, min_length=1, description="The routes, in the order in which they are tried."
    )
