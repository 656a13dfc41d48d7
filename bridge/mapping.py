"""The dry run: what would be posted for a file with a mail or a webhook's body, and which route says so.

It takes the way of the daemon, from the bytes to the fields of the request, without mailbox, ledger and ACD.
No secret is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from bridge.acd.directory import VENDOR_TYPES
from bridge.acd.record import TYPE_PREFIX
from bridge.acd.request import ACD_NAMES, CreateRequest, normalised, problems_of
from bridge.config.acd import Acd
from bridge.config.mailbox import Mailbox
from bridge.config.model import Config
from bridge.config.webhook import Webhook
from bridge.errors import BridgeError, ConfigError
from bridge.event import EventDraft
from bridge.intake.handover import Unreadable
from bridge.intake.mail.read import read_eml
from bridge.intake.webhook.mapping import map_body
from bridge.intake.webhook.preset import compile_source
from bridge.intake.webhook.source import Source
from bridge.mail_rules import compile_mail_rules
from bridge.message import Message
from bridge.routing.compile import compile_routes
from bridge.routing.decision import Decision

SOURCE_OF_A_MAIL = "mail"
"""The source of a mail where the configuration has no mailbox."""
FOLDER_OF_A_MAIL = "INBOX"
MARKED_LATER = "UserData gets the item's key when it is posted (acd.mark)"
_STAND_IN = 1
"""Takes the place of an ID that only the ACD knows, while the other fields are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What became of one file."""

    message: Message | None = None
    """None where the body could not be read."""
    decision: Decision | None = None
    posted: Mapping[str, Any] | None = None
    """The request's fields under the ACD's names; None where nothing would be posted."""
    notes: tuple[str, ...] = ()
    """What was repaired, put in or left out, and what the ACD would do later."""

    @property
    def route(self) -> str | None:
        """The route that matched or failed."""
        return self.decision.route if self.decision else None


class Mapper:
    """Maps files by one configuration. Raises ConfigError where its routes or webhooks cannot be used."""

    def __init__(self, config: Config, file: str) -> None:
        router, problems = compile_routes(config.route, zone=config.acd.zone())
        self._rules, more = compile_mail_rules(config.mail)
        problems += more
        if problems:
            raise ConfigError(file, problems)
        self._router = router
        self._acd = config.acd
        self._mailboxes = {mailbox.name: mailbox for mailbox in config.mailbox}
        self._webhooks = {webhook.name: webhook for webhook in config.webhook}
        self._sources: dict[str, Source] = {}

    def map(
        self, raw: bytes, *, source: str | None, headers: Mapping[str, str], received_at: datetime
    ) -> Mapped:
        """What would become of these bytes. Raises BridgeError where it is not clear whose they are."""
        taken_by = self._taken_by(raw, source)
        if isinstance(taken_by, Webhook):
            incoming = self._ticket(taken_by, raw, headers, received_at)
            if isinstance(incoming, Unreadable):
                return Mapped(notes=(f"unreadable: {incoming.detail}",))
            return self._decided(incoming)
        return self._decided(self._mail(taken_by, raw, received_at))

    def check_source(self, name: str) -> None:
        """Raises BridgeError for a name that no source has."""
        if name not in self._mailboxes and name not in self._webhooks:
            raise BridgeError(
                f"there is no source {name!r}", hint=_listed([*self._mailboxes, *self._webhooks])
            )

    def _taken_by(self, raw: bytes, source: str | None) -> Mailbox | Webhook | None:
        if source is not None:
            self.check_source(source)
            return self._mailboxes.get(source) or self._webhooks[source]
        if not looks_like_json(raw):
            return next(iter(self._mailboxes.values()), None)
        if len(self._webhooks) != 1:
            which = "several webhooks" if self._webhooks else "no webhook"
            raise BridgeError(
                f"this is a webhook's body, and there are {which} in the configuration",
                hint=f"name one with --source; {_listed(self._webhooks)}",
            )
        return next(iter(self._webhooks.values()))

    def _mail(self, mailbox: Mailbox | None, raw: bytes, received_at: datetime) -> Message:
        name = mailbox.name if mailbox else SOURCE_OF_A_MAIL
        folder = mailbox.folders[0] if mailbox else FOLDER_OF_A_MAIL
        read = partial(read_eml, raw, source=name, folder=folder, received_at=received_at, rules=self._rules)
        message = read(want_text=False)
        if not self._router.wants_text(message):
            return message
        return read(want_text=True)

    def _ticket(
        self, webhook: Webhook, raw: bytes, headers: Mapping[str, str], received_at: datetime
    ) -> Message | Unreadable:
        if webhook.name not in self._sources:
            self._sources[webhook.name] = compile_source(webhook)
        return map_body(
            self._sources[webhook.name], body=raw, headers=headers, query={}, received_at=received_at
        )

    def _decided(self, message: Message) -> Mapped:
        decision = self._router.route(message, explain=True)
        notes = [*message.notes, *decision.notes]
        posted = None
        if decision.event is not None:
            posted, later = posted_fields(decision.event, self._acd)
            notes += later
            if self._acd.mark and not decision.event.user_data:
                notes.append(MARKED_LATER)
        return Mapped(message=message, decision=decision, posted=posted, notes=tuple(notes))


def looks_like_json(raw: bytes) -> bool:
    """Whether the first sign that is no white space begins an object or a list; no header field does."""
    return raw[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}


def posted_fields(draft: EventDraft, acd: Acd) -> tuple[dict[str, Any], list[str]]:
    """The request's fields as they would be posted, and notes. Names that only the ACD can resolve stay."""
    own_ids = {name.removeprefix(TYPE_PREFIX): number for name, number in acd.event_types.items()}
    event_type = own_ids.get(str(draft.type).removeprefix(TYPE_PREFIX), draft.type)
    names = {
        key: name for key, name in (("type", event_type), ("group", draft.group)) if isinstance(name, str)
    }
    request = CreateRequest(**(draft.as_dict() | {"type": event_type} | dict.fromkeys(names, _STAND_IN)))
    type_name = _type_name(event_type, own_ids)
    request = normalised(request, type_name=type_name, plus=acd.phone_plus)
    refusals = problems_of(request, type_name=type_name)
    fields = request.to_fields() | {ACD_NAMES[key]: name for key, name in names.items()}
    return fields, [*_resolved_later(names), *(f"it would be refused: {problem}" for problem in refusals)]


def _type_name(event_type: int | str, own_ids: Mapping[str, int]) -> str | None:
    """The type's name without prefix, as far as it is known without the ACD."""
    if isinstance(event_type, str):
        return event_type.removeprefix(TYPE_PREFIX)
    return next(
        (name for name, number in own_ids.items() if number == event_type), VENDOR_TYPES.get(event_type)
    )


def _resolved_later(names: Mapping[str, str]) -> list[str]:
    words = {"type": "event type", "group": "group"}
    return [f"{words[key]} {name!r} is resolved to its ID when it is posted" for key, name in names.items()]


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return f"there are {', '.join(names)}" if names else "the configuration has none"
