"""The configuration file as values. The descriptions here are the reference page and the example's comments.

Every table is frozen and refuses unknown keys. What a value means beyond its form (does the route's template
compile, can the group be resolved) is checked by the room that owns it; see `bridge.check`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, IPvAnyNetwork, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bridge.config.duration import Seconds
from bridge.config.oauth import OAuth
from bridge.config.secret import Secret
from bridge.config.start import Start
from bridge.config.values import Address, HttpUrl, Table, ZoneName

NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"
WEBHOOK_NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
KEYWORD_FORM = r"^[A-Za-z0-9$_.-]{1,64}$"
"""Signs that every server takes in a keyword (RFC 9051 section 9: an atom)."""
ACD_OWN_FOLDERS = "JTEL_"
"""The ACD's own mail pick-up works in folders of this prefix; they are never watched and never a target."""

TicketPreset = Literal["otrs", "zammad", "glpi", "rt", "redmine", "jira", "osticket", "generic"]
TICKET_PRESETS: tuple[TicketPreset, ...] = get_args(TicketPreset)
"""Helpdesks whose ticket numbers `bridge.intake.mail.ticket_number` knows."""


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

    action: Literal["none", "keyword", "seen", "move", "delete"] = Field(
        "none",
        description="`none`: the mail stays as it is; `keyword`: it gets the flag `keyword`; `seen`: it is "
        "marked as read; `move`: it goes to `folder`; `delete`: it is removed for good.",
    )
    keyword: str | None = Field(
        None,
        pattern=KEYWORD_FORM,
        description="The flag for `keyword`, such as `ACD`; mail programs show it as a tag.",
    )
    folder: str | None = Field(
        None, min_length=1, max_length=500, description="The folder for `move`. It must exist."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for action, key, value in (("keyword", "keyword", self.keyword), ("move", "folder", self.folder)):
            if (self.action == action) != (value is not None):
                verb = "needs" if self.action == action else "is the only one with"
                raise ValueError(f'action = "{action}" {verb} {key}')
        if self.folder is not None and ACD_OWN_FOLDERS in self.folder.upper():
            raise ValueError(
                f"folder {self.folder!r} belongs to the ACD's own mail pick-up and must not be a target"
            )
        return self


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
    oauth: OAuth | None = Field(None, description="Sign-in with OAuth 2.0, in place of `password`.")
    password: Secret | None = Field(
        None, validate_default=True, description="The account's password; either it or `oauth` is given."
    )
    folders: tuple[str, ...] = Field(
        ("INBOX",), min_length=1, strict=False, description="The folders to watch."
    )
    start: Start = Field(
        "now",
        description="At the first start of a folder: `now` posts nothing old; `all` posts what is there, `unseen` "
        "what nobody has read by then, a date (`2026-11-01`) what came since that day began in UTC.",
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

    @field_validator("password")
    @classmethod
    def _either_password_or_oauth(cls, password: Secret | None, info: ValidationInfo) -> Secret | None:
        oauth = info.data.get("oauth", "wrong in itself")
        if password is None and oauth is None:
            raise PydanticCustomError("missing", "either password or oauth")
        if password is not None and isinstance(oauth, OAuth):
            raise ValueError("is given beside oauth; keep one of them")
        return password

    @model_validator(mode="after")
    def _keep_off_the_acds_folders(self) -> Self:
        for folder in self.folders:
            if ACD_OWN_FOLDERS in folder:
                raise ValueError(
                    f"folder {folder!r} belongs to the ACD's own mail pick-up and must not be watched"
                )
        if len(set(self.folders)) != len(self.folders):
            raise ValueError("a folder is named twice")
        if self.after_delivery.folder in self.folders:
            raise ValueError(
                f"folder {self.after_delivery.folder!r} is watched and must not be the target of after_delivery"
            )
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


class Flood(Table):
    """When what comes is held as a flood, for an operator's word."""

    burst_least: int = Field(
        500, ge=1, description="So many messages of one source within ten minutes are never a burst."
    )
    burst_factor: float = Field(
        10.0,
        gt=0,
        description="More than `burst_least`, and more than this times the number of a usual hour: a burst. "
        "Of a source that is not known yet `burst_least` is taken for the usual hour.",
    )
    sender: int = Field(
        200,
        ge=0,
        description="So many mails of one sender within ten minutes are no loop; automatic mails count double. "
        "0: no bound.",
    )
    conversation: int = Field(
        30,
        ge=0,
        description="So many mails of one conversation within ten minutes are no loop; automatic mails count "
        "double. 0: no bound.",
    )
    quiet: Seconds = Field(
        600.0,
        ge=1,
        le=86400,
        description="A suspected loop is over after so many seconds without a mail of it.",
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
    mail: Mail = Field(default_factory=Mail, description="How mails are read, in every mailbox.")
    listen: Listen = Field(default_factory=Listen, description="Where the bridge listens.")
    flood: Flood = Field(
        default_factory=Flood, description="When what comes is held as a flood, for an operator's word."
    )
    route: tuple[Route, ...] = Field(
        strict=False, min_length=1, description="The routes, in the order in which they are tried."
    )
