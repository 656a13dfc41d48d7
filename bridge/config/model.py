"""The configuration file as values. The descriptions here are the reference page and the example's comments.

Every table is frozen and refuses unknown keys. What a value means beyond its form (does the route's template
compile, can the group be resolved) is checked by the room that owns it; see `bridge.check`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, model_validator

from bridge.config.duration import Seconds
from bridge.config.secret import Secret

NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"
WEBHOOK_NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ACD_OWN_FOLDERS = "JTEL_"
"""The ACD's own mail pick-up works in folders of this prefix; they are never watched and never a target."""


def http_url(value: str) -> str:
    """An absolute address, without a slash at its end. Raises ValueError."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if any(sign in value for sign in " ?#") or "@" in value:
        raise ValueError("must be a plain address, without user, query or spaces")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(http_url)]


def known_zone(value: str) -> str:
    """The name of a time zone, or nothing. Raises ValueError."""
    try:
        if value:
            ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("is no time zone that this machine knows") from None
    return value


ZoneName = Annotated[str, AfterValidator(known_zone)]


class Address(BaseModel):
    """A host and port to listen on."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int = Field(ge=0, le=65535)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise ValueError('must be HOST:PORT, such as "127.0.0.1:8080" or "[::1]:8080"')
        return {"host": host.removeprefix("[").removesuffix("]"), "port": int(port)}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Table(BaseModel):
    """What all tables of the file share: frozen, strict, no unknown keys, no secrets in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


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
    retry_first: Seconds = Field(
        1.0, gt=0, description="Seconds before the first retry; doubles with jitter up to `retry_cap`."
    )
    retry_cap: Seconds = Field(300.0, gt=0, description="The longest time between two tries, in seconds.")
    give_up_after: Seconds = Field(
        432000.0, gt=0, description="How long an event is tried before it becomes a dead letter."
    )
    event_types: dict[str, int] = Field(
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


class State(Table):
    """The state file."""

    path: Annotated[Path, Field(strict=False)] = Field(
        Path("/var/lib/acd-bridge/state.db"), description="Where the state file is."
    )
    retention_days: int = Field(90, ge=1, description="Days after which settled items may be removed.")


class AfterDelivery(Table):
    """What happens to a mail once its event is settled."""

    action: Literal["none"] = Field("none", description="`none`: the mail stays as it is.")


class Mailbox(Table):
    """An IMAP account whose folders are watched."""

    name: str = Field(pattern=NAME_FORM, description="The mailbox's name in routes, logs and commands.")
    host: str = Field(min_length=1, description="The IMAP server.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port; 993 with `tls`, else 143 where it is not given."
    )
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="`tls`, `starttls`, or `none` (only for servers on this machine or a trusted net)."
    )
    ca_file: Annotated[Path, Field(strict=False)] | None = Field(
        None, description="Certificates (PEM) to trust besides the system's."
    )
    username: str = Field(min_length=1, description="The account's user name.")
    password: Secret = Field(description="The account's password.")
    folders: tuple[str, ...] = Field(
        ("INBOX",), min_length=1, strict=False, description="The folders to watch."
    )
    start: Literal["now", "all"] = Field(
        "now", description="At the first start: `now` posts nothing old, `all` posts what is there."
    )
    poll: Seconds = Field(
        60.0, ge=1, le=3600, description="Seconds between two looks at each folder, besides IDLE."
    )
    idle_slice: Seconds = Field(
        540.0,
        ge=5,
        le=1740,
        description="Seconds after which IDLE is begun anew (RFC 2177: at most 29 minutes).",
    )
    timeout: Seconds = Field(60.0, ge=1, le=600, description="Seconds for one IMAP command.")
    after_delivery: AfterDelivery = Field(
        default_factory=AfterDelivery, description="What happens to a mail once its event is settled."
    )

    @model_validator(mode="after")
    def _keep_off_the_acds_folders(self) -> Self:
        for folder in self.folders:
            if ACD_OWN_FOLDERS in folder:
                raise ValueError(
                    f"folder {folder!r} belongs to the ACD's own mail pick-up and must not be watched"
                )
        if len(set(self.folders)) != len(self.folders):
            raise ValueError("a folder is named twice")
        return self

    def actual_port(self) -> int:
        """The port to connect to."""
        return self.port or (993 if self.security == "tls" else 143)


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
        50.0, gt=0, description="Requests a second over a longer time; twice as many at once."
    )


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


class RouteEvent(Table):
    """The AcdEvent that a route makes: each field a value or a Jinja template."""

    type: str | int = Field(description="Name or ID of the AcdEventType.")
    group: str | int | None = Field(None, description="Name or ID of the ACD group.")
    config_group: str | int | None = Field(
        None, description="ID of the configuration group, with `agent_group`."
    )
    agent_group: str | int | None = Field(None, description="ID of the agent group, with `config_group`.")
    user: str | int | None = Field(None, description="ID of the user who gets it; empty: the group's queue.")
    sender: str = Field("{{ sender }}", description="Who it is from; for telephone types a number in E.164.")
    receiver: str | None = Field("{{ recipient }}", description="Who it was sent to.")
    subject: str = Field("{{ subject }}", description="The subject that the agent sees.")
    body: str | None = Field(None, description="A text; only for the type Callback.")
    crm_url: str | None = Field("{{ ticket_url }}", description="The address that the agent's client opens.")
    user_data: str | None = Field("{{ ticket_number }}", description="The helpdesk's ticket number.")
    priority: str | int | None = Field(None, description="0 to 200; the ACD takes 50 where it is not given.")
    appointment: str | None = Field(
        None, description="The earliest moment, ISO 8601; empty: as soon as possible."
    )


class Route(Table):
    """A rule: which messages, and which event they become."""

    name: str = Field(min_length=1, max_length=200, description="The route's name in logs and explanations.")
    when: str = Field("true", min_length=1, description="A Jinja expression; `true` where it is not given.")
    drop: bool = Field(default=False, description="Whether matching messages make no event.")
    event: RouteEvent | None = Field(None, description="The event that a matching message becomes.")

    @model_validator(mode="after")
    def _drop_or_event(self) -> Self:
        if self.drop == (self.event is not None):
            raise ValueError("a route has either drop = true or an event")
        return self


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
    listen: Listen = Field(default_factory=Listen, description="Where the bridge listens.")
    route: tuple[Route, ...] = Field(
        strict=False, min_length=1, description="The routes, in the order in which they are tried."
    )
