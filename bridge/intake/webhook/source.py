"""A source: one webhook of the configuration with all that its preset says, compiled."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.config.webhook import Webhook
from bridge.intake.webhook.expression import Expression
from bridge.intake.webhook.scheme import Scheme

_CREDENTIALS = frozenset({
    "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What `mapping` and `authentication` need of one webhook. It holds no secret's value."""

    webhook: Webhook
    schemes: tuple[Scheme, ...]
    fields: Mapping[str, Expression]
    """One expression for each field that is filled, by the names of `WebhookFields`."""
    events: Mapping[str, str]
    """Our words for the helpdesk's events, by its own in lower case."""

    @property
    def name(self) -> str:
        """The webhook's name in the configuration."""
        return self.webhook.name

    def hides(self, header: str) -> bool:
        """Whether a header (in lower case) proves who sends, and so belongs into no message."""
        return header in _CREDENTIALS or any(header == scheme.header for scheme in self.schemes)
