"""Why a route did not match: the first part of its `when` that is false, with what it looked at."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from bridge.routing.template import ENVIRONMENT, Compiled, Values, compile_expression

MAX_SHOWN = 60
"""Characters of a value that is shown."""
_UNSHOWN = frozenset({"text", "data", "headers"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def why_not(when: str, values: Values) -> str:
    """What of the expression is false, such as `group == 'Billing' is false (group is 'Sales')`."""
    for clause, compiled in _compiled_clauses(when):
        if not compiled.evaluate(values):
            return f"{clause} is false{_seen(compiled, values)}"
    return f"{when} is false"


@lru_cache(maxsize=1024)
def _compiled_clauses(when: str) -> tuple[tuple[str, Compiled], ...]:
    return tuple((clause, compile_expression(clause)) for clause in clauses(when))


def clauses(when: str) -> list[str]:
    """The parts that are joined by `and` at the top; one part where `or` or `if` binds less."""
    parts, depth = [""], 0
    for word in _words(when):
        depth += (word in _OPENING) - (word in _CLOSING)
        if depth == 0 and word in {"or", "if"}:
            return [when.strip()]
        if depth == 0 and word == "and":
            parts.append("")
        else:
            parts[-1] += word
    return [part.strip() for part in parts]


def _words(when: str) -> Iterator[str]:
    """The tokens with the white space between them, as they are written."""
    tokens = list(ENVIRONMENT.lex("{{ " + when + "\n}}"))
    return (value for _, kind, value in tokens if kind not in {"variable_begin", "variable_end"})


def _seen(compiled: Compiled, values: Values) -> str:
    names = sorted(compiled.variables - _UNSHOWN)
    return f" ({', '.join(f'{name} is {_shown(values[name])}' for name in names)})" if names else ""


def _shown(value: Any) -> str:
    shown = (
        repr(list(value))
        if isinstance(value, tuple)
        else repr(value)
        if isinstance(value, str)
        else str(value)
    )
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
