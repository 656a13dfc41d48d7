"""The tables of webhooks: who posts, how it is proved, and what is read from a body."""

from pydantic import Field, IPvAnyNetwork

from bridge.config.duration import Seconds
from bridge.config.secret import Secret
from bridge.config.values import HttpUrl, Table

WEBHOOK_NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class BasicAuth(Table):
    """HTTP Basic authentication (RFC 7617), for helpdesks that sign nothing."""

    username: str = Field(min_length=1, description="The user name that the helpdesk sends.")
    password: Secret = Field(description="The password that the helpdesk sends.")


class WebhookFields(Table):
    """JMESPath expressions over `{body, headers, base_url, query}`: each makes one field of the message."""

    delivery: str | None = Field(
        None, description="What names this delivery; the same over a helpdesk's retries."
    )
    event: str | None = Field(None, description="`created`, `replied`, `updated` or the helpdesk's own word.")
    sender: str | None = Field(None, description="The customer's address.")
    sender_name: str | None = Field(None, description="The customer's name.")
    recipient: str | None = Field(None, description="The address of ours that the customer wrote to.")
    subject: str | None = Field(None, description="The ticket's title.")
    text: str | None = Field(None, description="The text of the ticket or reply.")
    ticket_number: str | None = Field(None, description="The ticket's number.")
    ticket_url: str | None = Field(None, description="The ticket's address for an agent's browser.")
    priority: str | None = Field(None, description="The ticket's priority.")
    group: str | None = Field(None, description="The ticket's group or queue.")
    sent_at: str | None = Field(
        None, description="When it happened: ISO 8601, or seconds or milliseconds since 1970."
    )
    message_id: str | None = Field(None, description="The Message-ID of the mail behind it.")


class Webhook(Table):
    """A helpdesk that posts to `/hooks/{name}`."""

    name: str = Field(
        pattern=WEBHOOK_NAME_FORM, description="The last part of the address, and the source's name."
    )
    preset: str = Field("generic", description="A bundled preset: `generic`, `zammad`, `django-helpdesk`.")
    fields: WebhookFields = Field(
        default_factory=WebhookFields, description="JMESPath expressions that override the preset's."
    )
    secrets: tuple[Secret, ...] = Field(
        (), strict=False, description="Signature secrets; each is tried, so that one can be rotated."
    )
    basic: BasicAuth | None = Field(None, description="User and password, for helpdesks that sign nothing.")
    unsigned: bool = Field(
        default=False, description="Accept requests without signature and password. Only for trusted nets."
    )
    base_url: HttpUrl | None = Field(None, description="The helpdesk's own address, for links to tickets.")
    tolerance: Seconds | None = Field(
        None, description="Seconds that a signed time may differ; the preset's where it is not given."
    )
    allow: tuple[IPvAnyNetwork, ...] = Field(
        (), strict=False, description="Networks (CIDR) that may post; empty: all."
    )
    max_bytes: int = Field(
        1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="The largest body in bytes."
    )
    rate: float = Field(
        50.0, gt=0, description="Believed requests a second over a longer time; twice as many at once."
    )
