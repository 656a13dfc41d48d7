"""How many characters one evaluation may make: a message must not multiply by a route's own words.

`text|replace('e', text)` and `data.a|join(text)` grow with the square of what came. They are counted before they are
made; a sum of texts or lists is counted as soon as it is made, since it at most doubles.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinMethodType
from typing import Any, AnyStr, Final, TypeVar

from jinja2 import pass_context
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context

MAX_MADE: Final = 16 * 1024 * 1024
"""Characters, or entries of lists, that one evaluation may make on its way, all together."""

T = TypeVar("T")


class TooLongError(ValueError):
    """A template or expression makes too many characters."""


class CountingContext(Context):
    """The values of one evaluation, and how much was made of them so far."""

    made = 0

    def makes(self, length: int) -> None:
        """So much more is made. Raises TooLongError."""
        self.made += length
        if self.made > MAX_MADE:
            raise TooLongError(f"makes more than {MAX_MADE} characters on its way")


@pass_context
def replaced(context: CountingContext, text: Any, old: Any, new: Any, count: int | None = None) -> str:
    """Jinja's `replace`."""
    return _replace_in(context, str(text), str(old), str(new), -1 if count is None else count)


@pass_context
def joined(
    context: CountingContext, values: Iterable[Any], glue: Any = "", attribute: str | int | None = None
) -> str:
    """Jinja's `join`."""
    return _join_with(context, str(glue), map(str, _attributes(context, values, attribute)))


@pass_context
def summed(
    context: CountingContext, values: Iterable[Any], attribute: str | int | None = None, start: Any = 0
) -> Any:
    """Jinja's `sum`."""
    total = start
    for value in _attributes(context, values, attribute):
        total = added(context, total, value)
    return total


def added(context: CountingContext, left: Any, right: Any) -> Any:
    """`left + right`."""
    return counted(context, left + right)


def counted(context: CountingContext, made: T) -> T:
    """What was just made, if that is not too much."""
    if isinstance(made, str | bytes | list | tuple):
        context.makes(len(made))
    return made


def called(context: CountingContext, function: Any) -> Any:
    """The function to call in place of this one: methods that multiply are counted."""
    if isinstance(function, BuiltinMethodType) and isinstance(function.__self__, str | bytes):
        method = _METHODS.get(function.__name__)
        return function if method is None else lambda *args: method(context, function.__self__, *args)
    return function


def _replace_in(context: CountingContext, text: AnyStr, old: AnyStr, new: AnyStr, count: int = -1) -> AnyStr:
    places = text.count(old) if count < 0 else min(text.count(old), count)
    context.makes(len(text) + places * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _join_with(context: CountingContext, glue: AnyStr, values: Iterable[AnyStr]) -> AnyStr:
    return glue.join(_counting(context, values, len(glue)))


def _counting(context: CountingContext, values: Iterable[T], between: int) -> Iterator[T]:
    """The values, none of which is put to the others before there is room for it."""
    for value in values:
        context.makes(between)
        yield counted(context, value)


def _attributes(context: Context, values: Iterable[Any], name: str | int | None) -> Iterable[Any]:
    return values if name is None else map(make_attrgetter(context.environment, name), values)


_METHODS: Mapping[str, Callable[..., Any]] = {"replace": _replace_in, "join": _join_with}
