"""The control endpoints below `/_sim/`: faults, and what the simulated ACD got. They need no token."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from bridge.acd.simulator.events import Events
from bridge.acd.simulator.faults import FaultOrder, Faults

Controlled = tuple[int, Any]
"""An HTTP status, and the JSON beside it."""
_KNOWN = "there is GET of events, requests, faults; POST of faults, reset; DELETE of faults; all below /_sim/"


class Controllable(Protocol):
    """What the control endpoints work on."""

    faults: Faults

    @property
    def store(self) -> Events:
        """The events."""

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest requests."""

    def reset(self) -> None:
        """Begin anew."""


def controlled(simulator: Controllable, method: str, path: str, body: bytes) -> Controlled:
    """Do what a control request asks."""
    found: Callable[[], Controlled] | None = {
        ("GET", "/_sim/events"): lambda: (200, {"events": _events(simulator.store)}),
        ("GET", "/_sim/requests"): lambda: (200, {"requests": simulator.requests}),
        ("GET", "/_sim/faults"): lambda: (200, {"faults": simulator.faults.all()}),
        ("POST", "/_sim/faults"): lambda: _add_faults(simulator.faults, body),
        ("DELETE", "/_sim/faults"): lambda: _clear_faults(simulator.faults),
        ("POST", "/_sim/reset"): lambda: _reset(simulator),
    }.get((method, path))
    return (404, {"error": _KNOWN}) if found is None else found()


def _add_faults(faults: Faults, body: bytes) -> Controlled:
    try:
        faults.add(*FaultOrder.model_validate_json(body).faults)
    except ValueError as error:
        return 400, {"error": str(error)}
    return 200, {"faults": faults.all()}


def _clear_faults(faults: Faults) -> Controlled:
    faults.clear()
    return 200, {"faults": []}


def _reset(simulator: Controllable) -> Controlled:
    simulator.reset()
    return 200, {"status": "reset"}


def _events(store: Events) -> list[dict[str, Any]]:
    return [
        {
            "received": iso(event.created),
            "request": event.raw.decode("utf-8", "replace"),
            "event": store.view(event),
        }
        for event in store.all()
    ]


def iso(moment: float) -> str:
    """Seconds since 1970 as a date-time in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
