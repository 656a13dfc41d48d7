"""The clocks that the code under simulation reads: its loop's time, and a wall clock that can be set.

`time.time` and its sisters are replaced in the module `time`, and wherever a module, or a default value of a function,
took one of them when it was imported. `datetime.now` stays real: it only dates pages for people.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

EPOCH = 1_900_000_000.0
"""When the runs begin, in seconds since 1970."""
CONCERNED = ("bridge", "aiohttp", "aioimaplib")


@dataclass(slots=True)
class WallClock:
    """What the machine takes for the time of day."""

    monotonic: Callable[[], float]
    ahead: float = 0.0
    """Seconds by which it is wrong."""

    def true(self) -> float:
        """The time of day as everybody else has it."""
        return EPOCH + self.monotonic()

    def __call__(self) -> float:
        return self.true() + self.ahead


@contextmanager
def clocks(monotonic: Callable[[], float], wall: Callable[[], float]) -> Iterator[None]:
    """Let all that reads a clock read these."""
    others: dict[Any, Callable[[], float]] = {
        time.time: wall,
        time.monotonic: monotonic,
        time.perf_counter: monotonic,
    }
    undo: list[Callable[[], None]] = []
    try:
        for module in [time, *_concerned()]:
            undo += _replace_names(module, others)
            undo += _replace_defaults(module, others)
        yield
    finally:
        for one in reversed(undo):
            one()


def _concerned() -> list[ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in CONCERNED]
    return [sys.modules[name] for name in sorted(names)]


def _other(value: object, others: dict[Any, Callable[[], float]]) -> Any:
    # Only a builtin can be one of the clocks, and only those are surely hashable.
    return others.get(value) if isinstance(value, BuiltinFunctionType) else None


def _replace_names(
    module: ModuleType, others: dict[Any, Callable[[], float]]
) -> Iterator[Callable[[], None]]:
    for name, value in list(vars(module).items()):
        if (other := _other(value, others)) is not None:
            setattr(module, name, other)
            yield lambda name=name, value=value: setattr(module, name, value)  # type: ignore[misc] # bound early


def _replace_defaults(
    module: ModuleType, others: dict[Any, Callable[[], float]]
) -> Iterator[Callable[[], None]]:
    for function in _functions(module):
        before = function.__defaults__, function.__kwdefaults__
        if not any(_other(value, others) for value in (*(before[0] or ()), *(before[1] or {}).values())):
            continue
        function.__defaults__ = before[0] and tuple(_other(one, others) or one for one in before[0])
        function.__kwdefaults__ = before[1] and {
            name: _other(one, others) or one for name, one in before[1].items()
        }
        yield lambda function=function, before=before: _restore(function, *before)  # type: ignore[misc] # bound early


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in list(vars(module).values()):
        holders = [value, *vars(value).values()] if isinstance(value, type) else [value]
        for one in holders:
            inner = one.__func__ if isinstance(one, classmethod | staticmethod) else one
            if isinstance(inner, FunctionType) and inner.__module__ == module.__name__:
                yield inner


def _restore(function: FunctionType, positional: Any, named: Any) -> None:
    function.__defaults__, function.__kwdefaults__ = positional, named
