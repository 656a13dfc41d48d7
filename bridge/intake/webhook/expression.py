"""JMESPath expressions: compiled once, checked before the first request, evaluated for each field."""

import warnings
from collections.abc import Iterator
from typing import Any, cast

import jmespath
from jmespath import functions
from jmespath.exceptions import EmptyExpressionError, JMESPathError, ParseError

from bridge.errors import BridgeError, MessageError

ROOTS = ("body", "headers", "query", "base_url")
"""What an expression may begin with."""
_ANYTHING: Any = {"types": []}
"""An argument of any type: a missing value must give an empty field, not an error."""


class ExpressionError(BridgeError):
    """An expression cannot be compiled. The message says where."""


class EvaluationError(MessageError):
    """An expression failed on this one message."""


class _Functions(functions.Functions):
    """The functions of JMESPath, and two that helpdesks' bodies need."""

    @functions.signature(_ANYTHING)
    def _func_lower(self, text: Any) -> str:
        """`lower(text)`: in lower case; empty for what is no text."""
        return text.lower() if isinstance(text, str) else ""

    @functions.signature(_ANYTHING, _ANYTHING, _ANYTHING)
    def _func_find(self, items: Any, name: Any, value: Any) -> Any:
        """`find(list, name, value)`: the first object whose `name` is `value`, or null.

        JMESPath's own filter cannot compare with a value from outside of the list.
        """
        if not isinstance(items, list):
            return None
        return next((item for item in items if isinstance(item, dict) and item.get(name) == value), None)


_OPTIONS = jmespath.Options(custom_functions=_Functions())


class Expression:
    """One compiled expression. Raises ExpressionError where the text cannot be used."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", PendingDeprecationWarning)
                self._compiled = jmespath.compile(text)
        except EmptyExpressionError:
            raise ExpressionError("the expression is empty", hint="leave the key out instead") from None
        except ParseError as error:
            raise ExpressionError(
                f"no JMESPath expression: error at character {error.lex_position + 1} of {text!r}",
                hint="texts are written in single quotes, names with signs such as '-' in double quotes",
            ) from None
        except PendingDeprecationWarning:
            raise ExpressionError(
                f"between backticks there must be JSON: {text!r}", hint="texts are written in single quotes"
            ) from None
        _check(cast("dict[str, Any]", self._compiled.parsed))

    def of(self, scope: dict[str, Any]) -> Any:
        """The expression's value. Raises EvaluationError, which tells nothing of the values."""
        try:
            return self._compiled.search(scope, options=_OPTIONS)
        except JMESPathError as error:
            raise EvaluationError(f"{type(error).__name__} in its expression") from None


def _check(tree: dict[str, Any]) -> None:
    """What jmespath itself would find only while a message is mapped."""
    for node in _nodes(tree):
        _check_node(node)
    for root in _roots(tree):
        if root not in ROOTS:
            raise ExpressionError(
                f"nothing is called {root!r} at the beginning of an expression",
                hint=f"begin with one of {', '.join(ROOTS)}, such as body.{root}",
            )


def _check_node(node: dict[str, Any]) -> None:
    if node["type"] == "function_expression":
        _check_call(node["value"], len(node["children"]))
    if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
        raise ExpressionError(
            "'!' binds closer than '.', so this is always null", hint="write !(a.b), not !a.b"
        )


def _check_call(name: str, given: int) -> None:
    known = _Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ExpressionError(
            f"there is no function {name}()",
            hint="the functions are those of JMESPath, and lower() and find()",
        )
    wanted = known["signature"]
    variadic = bool(wanted) and wanted[-1].get("variadic", False)
    if given < len(wanted) or (given > len(wanted) and not variadic):
        raise ExpressionError(f"{name}() takes {len(wanted)} arguments, not {given}")


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from _nodes(child)


_LEFT_TO_RIGHT = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
    }
)
"""Nodes whose later children see the result of the first one instead of the whole scope."""


def _roots(tree: dict[str, Any]) -> Iterator[str]:
    """The names that are looked up in the scope itself."""
    if tree["type"] == "field":
        yield tree["value"]
    elif tree["type"] != "expref":
        children = tree["children"]
        for child in children[:1] if tree["type"] in _LEFT_TO_RIGHT else children:
            yield from _roots(child)
