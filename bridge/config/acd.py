"""The table of the ACD: where it is, and how patient the bridge is with it."""

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from bridge.config.duration import Seconds
from bridge.config.secret import Secret
from bridge.config.values import HttpUrl, Table, ZoneName

MAX_ID = 2**31 - 1
"""The ACD's IDs are integers of 32 bits."""


class AcdPaths(Table):
    """Paths of the ACD's API that its documentation leaves open; each begins below the base URL."""

    statuses: str = Field(
        "/acd/events/status", pattern="^/", description="Path of the list of AcdEventStatus."
    )
    delete_campaign: str = Field(
        "/dialler/campaigns/campaign/{id}",
        pattern=r"^/.*\{id\}",
        description="Path of deleting one Dialler Campaign by ID; `{id}` is replaced.",
    )


class Acd(Table):
    """The ACD's REST API."""

    url: HttpUrl = Field(description="Address of the ACD; `/rest/v1.0/{clients_id}` is added.")
    clients_id: int = Field(ge=1, description="The ClientsID of the client account.")
    token: Secret = Field(description="The API token made in the portal.")
    concurrency: int = Field(8, ge=1, le=256, description="How many events are posted at a time.")
    timeout: Seconds = Field(15.0, gt=0, le=600, description="Seconds for one request.")
    settle: Seconds = Field(
        10.0, description="Seconds after which an event that the list does not show is taken as not created."
    )
    on_unreadable: Literal["wait", "resend", "hold"] = Field(
        "wait",
        description="What becomes of an event whose outcome is unknown while the ACD answers but its list cannot be "
        "read: `wait`; or after `retry_cap` `resend` it (it may be doubled) or `hold` it for an operator.",
    )
    mark: bool = Field(
        default=False,
        description="Whether UserData that a route leaves empty gets the item's key, which makes it certain which "
        "event is whose.",
    )
    rate: float = Field(
        0.0, ge=0, le=10_000, description="Events a second that are posted at the most; 0: no bound."
    )
    retry_first: Seconds = Field(
        1.0, gt=0, description="Seconds before the first retry; doubles with jitter up to `retry_cap`."
    )
    retry_cap: Seconds = Field(300.0, gt=0, description="The longest time between two tries, in seconds.")
    give_up_after: Seconds = Field(
        432000.0, gt=0, description="How long an event is tried before it becomes a dead letter."
    )
    event_types: dict[str, Annotated[int, Field(ge=1, le=MAX_ID)]] = Field(
        default_factory=dict,
        description="IDs of AcdEventTypes by name; all other names are resolved through the API.",
    )
    phone_plus: bool = Field(
        default=False, description="Whether telephone numbers (E.164) are sent with a leading plus."
    )
    timezone: ZoneName = Field(
        "",
        description="The ACD's time zone for appointments, such as `Europe/Berlin`; empty: this machine's.",
    )
    ca_file: Annotated[Path, Field(strict=False)] | None = Field(
        None, description="Certificates (PEM) to trust besides the system's."
    )
    paths: AcdPaths = Field(
        default_factory=AcdPaths, description="Paths that the ACD's documentation leaves open."
    )

    def zone(self) -> ZoneInfo | None:
        """The zone of `timezone`; None for this machine's."""
        return ZoneInfo(self.timezone) if self.timezone else None

    @model_validator(mode="after")
    def _cap_not_below_first(self) -> Self:
        if self.retry_cap < self.retry_first:
            raise ValueError("retry_cap must not be smaller than retry_first")
        return self
