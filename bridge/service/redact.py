"""What may stand in a log line: no secrets, nothing long or deep, nothing that steers a terminal."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict, WrappedLogger

MAX_CHARACTERS = 400
MAX_ENTRIES = 40
MAX_DEPTH = 3
MAX_TRACE_CHARACTERS = 12_000

REDACTED = "[redacted]"
TRACE_KEY = "exception"
"""The one field that may have lines and more length; see `bridge.service.failure`."""

_SECRET_KEY = re.compile(
    r"pass(?!ed)|pwd|secret|token|credential|authori[sz]ation|cookie|signature|api_?key|private_?key|bearer",
    re.IGNORECASE,
)
_TOP = 2**63
"""JSON readers, and orjson, know 64-bit integers."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: makes every value harmless, whoever wrote the line; plain JSON data is left."""
    return {key: _trace(value) if key == TRACE_KEY else _field(key, value, 0) for key, value in event.items()}


def clean_text(text: str, limit: int = MAX_CHARACTERS) -> str:
    """The text on one line, cut to the limit, with every character that is not printable as an escape."""
    cut = text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
    return cut if cut.isprintable() else "".join(map(_visible, cut))


@lru_cache(maxsize=1024)
def looks_secret(key: str) -> bool:
    """Whether a field of this name is masked, whatever it holds."""
    return _SECRET_KEY.search(key) is not None


def _field(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return REDACTED if looks_secret(key) else clean_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_TOP <= value < _TOP else str(value)[:MAX_CHARACTERS]
    return REDACTED if looks_secret(key) else _other(value, depth)


def _other(value: Any, depth: int) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {
            clean_text(str(key)): _field(str(key), inner, depth + 1) for key, inner in _first(value.items())
        }
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_field("", inner, depth + 1) for inner in _first(value)]
    return clean_text(_words(value))


def _first(values: Any) -> list[Any]:
    return [value for value, _ in zip(values, range(MAX_ENTRIES), strict=False)]


def _words(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 -- a log line must not fail on what it is asked to show
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _trace(value: Any) -> str:
    return "\n".join(clean_text(line) for line in str(value)[:MAX_TRACE_CHARACTERS].splitlines())


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()
