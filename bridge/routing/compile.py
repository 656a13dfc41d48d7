"""From the routes of the configuration to a router: everything is compiled and checked once."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

from bridge.config.route import Route, RouteEvent
from bridge.errors import Problem
from bridge.routing.draft import EventMaker, Rendered, made_of, takes_body
from bridge.routing.faults import Fault
from bridge.routing.fields import FieldError
from bridge.routing.router import CompiledRoute, Router
from bridge.routing.template import Compiled, SourceError, compile_expression, compile_template

_PAIR = ("config_group", "agent_group")


def compile_routes(routes: Sequence[Route], *, zone: tzinfo | None = None) -> tuple[Router, list[Problem]]:
    """The router, and every problem of every route. With problems the router is not to be used.

    `zone` is the ACD's time zone for appointments (`acd.timezone`); None is this machine's.
    """
    problems: list[Problem] = []
    compiled = [_compile_route(route, zone, problems) for route in routes]
    problems += _never_reached(routes)
    return Router(compiled), problems


def _compile_route(route: Route, zone: tzinfo | None, problems: list[Problem]) -> CompiledRoute:
    key = f"route[{route.name}]"
    try:
        when = compile_expression(route.when)
    except SourceError as error:
        problems += _problems(f"{key}.when", error.faults)
        when = Compiled(lambda _: False, frozenset())
    event = None if route.event is None else _compile_event(route.event, f"{key}.event", zone, problems)
    return CompiledRoute(
        name=route.name,
        when=route.when,
        matches=when.evaluate,
        when_uses_text="text" in when.variables,
        event=event,
        event_uses_text=event is not None and any("text" in one.variables for one in event.rendered),
    )


def _compile_event(event: RouteEvent, key: str, zone: tzinfo | None, problems: list[Problem]) -> EventMaker:
    constants: dict[str, Any] = {}
    rendered: list[Rendered] = []
    for name in RouteEvent.model_fields:
        value = getattr(event, name)
        try:
            if is_template(value):
                compiled = compile_template(value)
                rendered.append(Rendered(name, compiled.evaluate, compiled.variables))
            elif value is not None:
                constants |= _constant(name, value, zone)
        except SourceError as error:
            problems += _problems(f"{key}.{name}", error.faults)
        except FieldError as error:
            problems.append(Problem(f"{key}.{name}", str(error)))
    problems += [Problem(f"{key}.{name}", what, hint) for name, what, hint in _across_fields(event)]
    return EventMaker(constants, tuple(rendered), zone)


def is_template(value: Any) -> bool:
    """Whether a field of the event is rendered; a text without Jinja's signs is taken as it is."""
    return isinstance(value, str) and any(sign in value for sign in ("{{", "{%", "{#"))


def _constant(name: str, value: int | str, zone: tzinfo | None) -> dict[str, Any]:
    """The draft's fields of a constant. What would only be noted about a message is an error in the file."""
    text, notes = str(value).strip(), list[str]()
    if not text and name in {"type", "group", *_PAIR}:
        raise FieldError("is empty")
    made = made_of(name, text, zone, notes)
    if notes:
        raise FieldError(notes[0].removeprefix(name).partition(", so ")[0].strip())
    return made


def _across_fields(event: RouteEvent) -> Iterator[tuple[str, str, str]]:
    pair = [name for name in _PAIR if getattr(event, name) is not None]
    if event.group is not None and pair:
        yield "group", f"is given, and {' and '.join(pair)} too", "give the group, or the pair, not both"
    elif event.group is None and len(pair) == 1:
        missing = next(name for name in _PAIR if name not in pair)
        yield missing, f"is missing: {pair[0]} needs it", "give both, or a group"
    elif event.group is None and not pair:
        yield "group", "is missing", "give a group's name or ID, or config_group and agent_group"
    if event.body is not None and not is_template(event.type) and not takes_body(_type_of(event.type)):
        yield "body", "is only for the type Callback", "leave it out"


def _type_of(value: int | str) -> int | str:
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else value
    )


def _never_reached(routes: Sequence[Route]) -> Iterator[Problem]:
    """Routes behind one that matches everything."""
    ends = (at for at, route in enumerate(routes) if route.when.strip().lower() == "true")
    last = next(ends, len(routes) - 1)
    for route in routes[last + 1 :]:
        yield Problem(
            f"route[{route.name}]",
            f"is never reached: {routes[last].name!r} before it matches everything",
            "move it up",
        )


def _problems(key: str, faults: Sequence[Fault]) -> list[Problem]:
    return [Problem(key, what, hint) for what, hint in faults]
