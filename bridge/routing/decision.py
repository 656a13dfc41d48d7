"""What the routes decide about one message."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.event import EventDraft
from bridge.reason import Reason


class Verdict(StrEnum):
    """What is to be done with the message."""

    EVENT = "event"  #: a route matched and made an event
    DROP = "drop"  #: a route with `drop = true` matched
    NO_ROUTE = "no-route"  #: no route matched
    FAILED = "failed"  #: a route failed on this message; the routes after it were not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the routes made of a message, and why."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    """ROUTE_DROP, NO_ROUTE, TEMPLATE_FAILED, INVALID_EVENT, or NONE with an event."""
    route: str | None = None
    """The route that matched, or failed."""
    event: EventDraft | None = None
    field: str = ""
    """Where it failed: `when`, or the event's field such as `event.group`."""
    detail: str = ""
    """What failed and where, without any of the message's own text."""
    notes: tuple[str, ...] = ()
    """What was put in, cut or left out so that the event is valid, without any of the message's own text."""
    tried: tuple[tuple[str, str], ...] = ()
    """The routes that did not match, each with why not, where it was asked for. It may quote the message."""
