"""The language of routes: Jinja in its sandbox, with fewer words, no functions, and bounds.

Keys of a message's data come before methods (`data.items` is the key), and what is not there is `Missing`.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.routing.making import CountingContext, added, called, counted, joined, replaced, summed
from bridge.routing.missing import MISSING, Missing
from bridge.routing.pattern import found, matches

MAX_LOOP = 100
"""Entries of a list that one `{% for %}` sees."""
MAX_PRECISION = 15
"""Digits that `round` may be asked for; a float has no more."""
LOOP_BOUND = "loop bound"
"""The filter that compiling puts around every loop; its name cannot be written in a template."""
COUNTED = "counted result"
"""The filter that compiling puts around every `~`; its name cannot be written either."""
VALUE = "value of"
"""The filter that compiling puts around every attribute that is not called; its name cannot be written either."""

FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length",
    "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round",
    "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper",
    "urlencode", "wordcount",
})  # fmt: skip
"""Jinja's own filters that routes may use: those that end in time and give the same result each time."""
TESTS = frozenset({
    "boolean", "defined", "divisibleby", "eq", "equalto", "==", "ne", "!=", "ge", ">=", "gt", ">",
    "greaterthan", "le", "<=", "lt", "<", "lessthan", "even", "false", "float", "in", "integer",
    "iterable", "lower", "mapping", "number", "odd", "sequence", "string", "true", "undefined",
    "upper",
})  # fmt: skip
"""Jinja's own tests that routes may use."""
REFUSED_METHODS = frozenset({
    "center", "expandtabs", "format", "format_map", "ljust", "rjust", "to_bytes", "translate", "zfill",
})  # fmt: skip
"""Methods that make any length out of a short text or a number."""


class RouteEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox as routes see it."""

    intercepted_binops = frozenset({"*", "%", "+"})
    context_class = CountingContext

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, finalize=_shown)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in FILTERS} | {
            "domain": domain,
            "join": joined,
            "replace": replaced,
            "round": rounded,
            "sum": summed,
            LOOP_BOUND: _bounded,
            COUNTED: pass_context(counted),
            VALUE: value_of,
        }
        self.tests = {name: self.tests[name] for name in TESTS} | {
            "none": _is_none,
            "search": found,
            "match": matches,
        }

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The key of a mapping, else the attribute."""
        if isinstance(obj, Mapping):
            value = _key(obj, attribute)
            return super().getattr(obj, attribute) if value is MISSING else value
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The key of a mapping, and nothing else of it; the item of a list. Never a method."""
        return _key(obj, argument) if isinstance(obj, Mapping) else value_of(super().getitem(obj, argument))

    def wrap_str_format(self, value: Any) -> None:  # noqa: ARG002 - the sandbox's signature
        """No special way for `str.format`: it is refused like the others of REFUSED_METHODS."""
        return

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may have the attribute."""
        return attr not in REFUSED_METHODS and super().is_safe_attribute(obj, attr, value)

    def call(self, context: CountingContext, function: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override] # its only context
        """What a method gives; those that multiply texts are counted."""
        return super().call(context, called(context, function), *args, **kwargs)

    def call_binop(self, context: CountingContext, operator: str, left: Any, right: Any) -> Any:  # type: ignore[override] # its only context
        """`*` and `%` are for numbers: of texts and lists they make any length. What `+` makes is counted."""
        if operator == "+":
            return added(context, left, right)
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise SecurityError(f"{operator!r} takes numbers")
        return super().call_binop(context, operator, left, right)


def value_of(value: Any) -> Any:
    """The value of an attribute; a method that is not called is none.

    `data.ticket.title` is one where a body has a text for a ticket, and its words would be an address in memory.
    """
    return MISSING if callable(value) and not isinstance(value, Undefined) else value


@pass_context
def _shown(context: CountingContext, value: Any) -> str:
    """What a `{{ }}` puts into the text; within `{% set %}` nobody else counts it."""
    shown = str(value)
    context.makes(len(shown))
    return shown


def domain(address: Any) -> str:
    """The part of an address after its last `@`, in lower case, or nothing (filter `domain`)."""
    return str(address).rpartition("@")[2].lower() if "@" in str(address) else ""


def rounded(value: Any, precision: Any = 0, method: str = "common") -> Any:
    """Jinja's `round`. Raises TypeError for a precision that ten to its power would take for ever with."""
    if not isinstance(precision, int) or abs(precision) > MAX_PRECISION:
        raise TypeError(f"'round' takes a precision of at most {MAX_PRECISION} digits")
    return do_round(value, precision, method)  # type: ignore[arg-type] # it checks the method itself


def _key(mapping: Mapping[Any, Any], key: Any) -> Any:
    try:
        value = mapping.get(key)
    except TypeError:  # a list is no key
        return MISSING
    return MISSING if value is None else value


def _bounded(values: Iterable[Any]) -> list[Any]:
    return list(islice(values, MAX_LOOP))


def _is_none(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)
