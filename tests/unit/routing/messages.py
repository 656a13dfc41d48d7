"""Messages and routes that the tests of this folder share."""

from datetime import UTC, datetime
from typing import Any

from bridge.config.route import Route
from bridge.message import Kind, Message
from bridge.routing.compile import compile_routes
from bridge.routing.router import Router

WHEN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {"type": "Ticket", "group": "Support"}


def mail(**fields: Any) -> Message:
    plain: dict[str, Any] = {
        "source": "support", "kind": Kind.MAIL, "place": "INBOX/1/5", "digest": "d", "received_at": WHEN,
        "folder": "INBOX", "sender": "anna@Example.org", "recipient": "support@example.com",
        "recipients": ("support@example.com", "b@example.com"), "subject": "Printer on fire", "size": 1234,
        "headers": {"x-priority": "1", "subject": "Printer on fire"},
    }  # fmt: skip
    return Message(**(plain | fields))


def ticket(data: Any = None, **fields: Any) -> Message:
    plain: dict[str, Any] = {
        "kind": Kind.TICKET,
        "source": "helpdesk",
        "event": "created",
        "data": data,
        "headers": {},
    }
    return mail(**(plain | fields))


def router(*routes: dict[str, Any]) -> Router:
    compiled, problems = compile_routes([Route.model_validate(route) for route in routes])
    assert not problems, [str(problem) for problem in problems]
    return compiled


def one(when: str = "true", **event: Any) -> Router:
    """A router with one route."""
    return router({"name": "one", "when": when, "event": EVENT | event})
