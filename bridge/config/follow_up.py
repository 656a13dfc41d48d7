"""The tables of following up: how long events are looked at in the ACD, and who is told of their end."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from bridge.config.duration import Seconds
from bridge.config.secret import Secret
from bridge.config.values import HookUrl, Table
from bridge.config.webhook import WEBHOOK_NAME_FORM


class FollowUp(Table):
    """How the events of routes with `follow_up = true` are looked at in the ACD, until they are Done or in Error."""

    first: Seconds = Field(
        30.0,
        gt=0,
        description="Seconds from an event's settlement to the first look. The wait doubles with jitter up to `cap`, "
        "and begins anew when the event's state has changed.",
    )
    cap: Seconds = Field(
        900.0, gt=0, description="The longest time between two looks at one event, in seconds."
    )
    give_up_after: Seconds = Field(
        1_209_600.0,
        gt=0,
        description="How long an event is followed at the most. It must end before the retention.",
    )
    rate: float = Field(2.0, gt=0, le=100, description="Events a second that are looked at one by one.")

    @model_validator(mode="after")
    def _cap_not_below_first(self) -> Self:
        if self.cap < self.first:
            raise ValueError("cap must not be smaller than first")
        return self


class Notify(Table):
    """Somebody who is told over a signed webhook when a followed event is Done or in Error."""

    name: str = Field(
        pattern=WEBHOOK_NAME_FORM, description="The name that routes give in `notify`, in logs and metrics."
    )
    url: HookUrl = Field(description="The address that is posted to, as it is. Redirects are not followed.")
    secrets: tuple[Secret, ...] = Field(
        strict=False,
        min_length=1,
        max_length=4,
        description="Secrets of Standard Webhooks, `whsec_` and base64. Each signs, so that one can be rotated.",
    )
    timeout: Seconds = Field(15.0, gt=0, le=120, description="Seconds for one request.")
    give_up_after: Seconds = Field(
        259_200.0, gt=0, le=2_592_000, description="How long one notice is tried before it is given up."
    )
    ca_file: Annotated[Path, Field(strict=False)] | None = Field(
        None, description="Certificates (PEM) to trust besides the system's."
    )
