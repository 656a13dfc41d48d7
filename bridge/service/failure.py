"""An exception as text for the log: types, places and causes, without the text of any message.

A ValueError or KeyError quotes the value it stumbled on, which may be a mail's text, so only its type and
place are kept. What was written for people (BridgeError), or comes from the operating system or the language,
keeps its words.
"""

import sys
import traceback
from collections.abc import Iterator

from structlog.typing import EventDict, WrappedLogger

from bridge.errors import BridgeError
from bridge.service.redact import TRACE_KEY

MAX_FRAMES = 20
MAX_EXCEPTIONS = 8
"""Of one chain of causes, and the groups in it, together."""

_QUOTING = (ValueError, LookupError)
_OWN_WORDS = (BridgeError, OSError)


def describe_failure(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: `exc_info` (True, an exception, or what sys.exc_info() gives) becomes a text."""
    failure = _exception(event.pop("exc_info", None))
    if failure is not None:
        event[TRACE_KEY] = failure_text(failure)
    return event


def failure_text(failure: BaseException) -> str:
    """The exception and its places, then those it came from or holds, MAX_EXCEPTIONS at most."""
    return "\n".join(f"{how}{_words(one)}\n{_places(one)}".rstrip() for how, one in _family(failure))


def _exception(given: object) -> BaseException | None:
    if not given:
        return None
    if isinstance(given, BaseException):
        return given
    return given[1] if isinstance(given, tuple) else sys.exc_info()[1]


def _family(failure: BaseException) -> Iterator[tuple[str, BaseException]]:
    waiting = [("", failure)]
    seen: set[int] = set()
    while waiting and len(seen) < MAX_EXCEPTIONS:
        how, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield how, one
        waiting += _behind(one)


def _behind(one: BaseException) -> list[tuple[str, BaseException]]:
    behind: list[tuple[str, BaseException]] = []
    if isinstance(one, BaseExceptionGroup):
        behind += [("in it: ", inner) for inner in one.exceptions]
    if one.__cause__ is not None:
        behind.append(("caused by: ", one.__cause__))
    elif one.__context__ is not None and not one.__suppress_context__:
        behind.append(("while handling: ", one.__context__))
    return behind


def _words(one: BaseException) -> str:
    name = type(one).__qualname__
    if isinstance(one, _QUOTING) and not isinstance(one, _OWN_WORDS):
        return name
    words = str(one)
    return f"{name}: {words}" if words else name


def _places(one: BaseException) -> str:
    frames = traceback.extract_tb(one.__traceback__)[-MAX_FRAMES:]
    return "\n".join(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
