"""The tables of sources that bring the same cases."""

from pydantic import Field

from bridge.config.duration import Seconds
from bridge.config.values import Table


class SameCase(Table):
    """Sources that bring the same cases, such as a mailbox and the helpdesk that reads it too.

    A message of one is a `duplicate` where another one brought the same Message-ID or ticket number already.
    """

    sources: tuple[str, ...] = Field(
        strict=False, description="Names of two or more mailboxes and webhooks; each in one such table only."
    )
    within: Seconds = Field(
        900.0,
        ge=1,
        le=604800,
        description="How far apart the two may be, in seconds: either when their sources got them, or when the bridge "
        "took them in.",
    )
