"""Regular expressions of routes, held to what ends in time on any input.

Python's `re` tries again and again where a repeat fails. A repeat within a repeat can take for ever on a
short hostile subject, so it is refused; so are more than two open repeats, since each one multiplies the time
by the length. Small repeats and choices that follow each other multiply it, too.
"""

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

MAX_PATTERN = 500
"""Characters of a pattern."""
MAX_OPEN_REPEATS = 2
LOOKED_AT = 2000
"""Characters of a value that a pattern sees."""
LOOKED_AT_WITH_TWO = 500
"""The same for a pattern with two open repeats: about 40 ms at the worst."""
_BOUNDS = (
    ((10_000, LOOKED_AT),),
    ((100, LOOKED_AT), (1000, 500)),
    ((10, LOOKED_AT_WITH_TWO), (100, 200)),
)
"""By the number of open repeats: in how many ways the rest of a pattern may be taken, and the characters it then
sees. The worst takes a second or two.
"""

_OPEN_FROM = 10
_BACKTRACKING = {"MAX_REPEAT", "MIN_REPEAT"}


class PatternError(ValueError):
    """A pattern cannot be used; the message says why."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    """The pattern, and how many characters it may see. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        tree = re._parser.parse(pattern)  # type: ignore[attr-defined]  # noqa: SLF001 - the only exact reader of patterns
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"is no regular expression: {error}") from None
    repeats = _open_repeats(tree)
    if repeats > MAX_OPEN_REPEATS:
        raise PatternError(
            f"a pattern has at most {MAX_OPEN_REPEATS} open repeats; make some possessive, such as `.*+`"
        )
    return expression, _length(repeats, _ways(tree))


def _length(repeats: int, ways: int) -> int:
    """How many characters such a pattern may see."""
    for most, length in _BOUNDS[repeats]:
        if ways <= most:
            return length
    raise PatternError(
        f"its small repeats and choices may be taken in more than {_BOUNDS[repeats][-1][0]} ways; "
        "make some possessive, such as `?+`"
    )


def found(value: Any, pattern: str) -> bool:
    """Whether the pattern is anywhere in the value (test `search`)."""
    expression, length = compiled(pattern)
    return expression.search(str(value)[:length]) is not None


def matches(value: Any, pattern: str) -> bool:
    """Whether the value begins with the pattern (test `match`)."""
    expression, length = compiled(pattern)
    return expression.match(str(value)[:length]) is not None


def _open_repeats(tree: Any) -> int:
    """How many repeats without a small bound there are. Raises PatternError for one that holds a choice."""
    count = 0
    for operation, argument in tree:
        if str(operation) in _BACKTRACKING and argument[0] != argument[1] and argument[1] > 1:
            if _has_choice(argument[2]):
                raise PatternError(
                    "a repeat within a repeat, or a choice within one, may take for ever; "
                    "make the outer one possessive, such as `(...)*+`"
                )
            count += argument[1] > _OPEN_FROM
        else:
            count += sum(_open_repeats(part) for part in _parts(argument))
    return count


def _ways(tree: Any) -> int:
    """In how many ways small repeats and choices can be taken at the most; open repeats are counted elsewhere."""
    ways = 1
    for operation, argument in tree:
        name = str(operation)
        if name == "BRANCH":
            ways *= _ways_of_choice(argument[1])
            continue
        inner = math.prod(_ways(part) for part in _parts(argument))
        if name in _BACKTRACKING and argument[1] <= _OPEN_FROM:
            inner += argument[1] - argument[0]
        ways *= inner
    return ways


def _ways_of_choice(choices: Iterable[Any]) -> int:
    """Of choices that begin with different letters only one can be taken at a place."""
    ways = [_ways(one) for one in choices]
    letters = {chr(one[0][1]).lower() for one in choices if len(one) and str(one[0][0]) == "LITERAL"}
    return max(ways) if len(letters) == len(ways) else sum(ways)


def _has_choice(tree: Any) -> bool:
    """Whether there is more than one way to match this."""
    for operation, argument in tree:
        name = str(operation)
        if name in {"BRANCH", "GROUPREF_EXISTS"} or (name in _BACKTRACKING and argument[0] != argument[1]):
            return True
        if name not in {"ATOMIC_GROUP", "POSSESSIVE_REPEAT"} and any(
            _has_choice(part) for part in _parts(argument)
        ):
            return True
    return False


def _parts(argument: Any) -> Iterable[Any]:
    """The patterns within an operation's argument, at any depth of its tuples and lists."""
    if isinstance(argument, re._parser.SubPattern):  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _parts(part)
