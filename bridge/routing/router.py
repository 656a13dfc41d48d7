"""The router: the first route that matches decides about a message. No network, no storage, no clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from bridge.message import Message
from bridge.reason import Reason
from bridge.routing.decision import Decision, Verdict
from bridge.routing.draft import EventFieldError, EventMaker
from bridge.routing.explain import why_not
from bridge.routing.fields import FieldError
from bridge.routing.making import TooLongError
from bridge.routing.template import Values
from bridge.routing.variables import UNFETCHED, TextNeededError, values_of

MAX_DETAIL = 300
MATCHES = "matches"
UNTOLD = "cannot be told: it looks at what is not kept of a message"

Tried = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRoute:
    """One route, ready to be asked."""

    name: str
    when: str
    matches: Callable[[Values], Any]
    when_uses_text: bool
    event: EventMaker | None
    """None where matching messages are dropped."""
    event_uses_text: bool


class Router:
    """All routes of a configuration, in their order. `bridge.routing.compile.compile_routes` makes it."""

    def __init__(self, routes: Sequence[CompiledRoute]) -> None:
        self._routes = tuple(routes)
        uses = [number for number, one in enumerate(routes, 1) if one.when_uses_text or one.event_uses_text]
        self._with_text = self._routes[: max(uses, default=0)]

    def route(self, message: Message, *, explain: bool = False) -> Decision:
        """Decide about a message. With `explain`, also say why the routes before did not match.

        Never raises: what fails in a route is a decision too.
        """
        values = values_of(message)
        tried: Tried = []
        for route in self._routes:
            try:
                matched = bool(route.matches(values))
            except Exception as error:  # noqa: BLE001 - it may raise anything, and costs this message only
                return _failed(route, "when", error, tried)
            if matched:
                return _decided(route, values, tried)
            if explain:
                tried.append((route.name, why_not(route.when, values)))
        return Decision(
            verdict=Verdict.NO_ROUTE, reason=Reason.NO_ROUTE, detail="no route matches", tried=tuple(tried)
        )

    def retrace(self, message: Message, unkept: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Each route with what it says of a message of which the `unkept` variables are not known any more."""
        values = values_of(message) | dict.fromkeys(unkept, UNFETCHED)
        for route in self._routes:
            try:
                yield route.name, MATCHES if route.matches(values) else why_not(route.when, values)
            except TextNeededError:
                yield route.name, UNTOLD
            except Exception as error:  # noqa: BLE001 - a route may raise anything, and this only tells of it
                yield route.name, f"fails: {describe(error)}"

    def wants_text(self, message: Message) -> bool:
        """Whether the decision or its event depends on the message's text, which is not looked at."""
        if not self._with_text:
            return False
        values = values_of(message)
        values["text"] = UNFETCHED
        for route in self._with_text:
            try:
                matched = bool(route.matches(values))
            except Exception:  # noqa: BLE001 - TextNeededError, or a failure that `route` will name
                return route.when_uses_text
            if matched:
                return route.event is not None and route.event.needs_text(values)
        return False


def _decided(route: CompiledRoute, values: Values, tried: Tried) -> Decision:
    if route.event is None:
        return Decision(
            verdict=Verdict.DROP,
            reason=Reason.ROUTE_DROP,
            route=route.name,
            detail=f"route {route.name!r} drops it",
            tried=tuple(tried),
        )
    try:
        draft, notes = route.event.make(values)
    except EventFieldError as error:
        return _failed(route, f"event.{error.field}", error.cause, tried)
    return Decision(verdict=Verdict.EVENT, route=route.name, event=draft, notes=notes, tried=tuple(tried))


def _failed(route: CompiledRoute, field: str, error: Exception, tried: Tried) -> Decision:
    invalid = isinstance(error, FieldError)
    return Decision(
        verdict=Verdict.FAILED,
        reason=Reason.INVALID_EVENT if invalid else Reason.TEMPLATE_FAILED,
        route=route.name,
        field=field,
        detail=f"route[{route.name}].{field}: {describe(error)}"[:MAX_DETAIL],
        tried=tuple(tried),
    )


def describe(error: Exception) -> str:
    """What went wrong. Only errors whose words cannot quote the message speak for themselves."""
    if isinstance(error, UndefinedError):
        return "it calculates with something that the message does not have"
    if isinstance(error, FieldError | TooLongError | SecurityError | TypeError) and str(error):
        return str(error)
    return f"{type(error).__name__} in the template"
