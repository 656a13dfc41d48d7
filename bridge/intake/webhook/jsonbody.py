"""The body as JSON: strict first, then as leniently as templated bodies need."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from bridge.errors import MessageError
from bridge.intake.webhook.text import json_text

MAX_DEPTH = 64
"""Helpdesks nest about six deep; more is an attack on whatever walks the data next."""
MAX_VALUES = 100_000
"""Values in one body; walking more would hold up everybody else for tens of milliseconds."""
_EXACT_FLOAT = 2**53
_MOST_DIGITS = 19
LENIENT = "the body was not strict JSON and was read leniently"


class NotJsonError(MessageError):
    """The body cannot be read as JSON, or goes beyond the bounds. Its words quote nothing of the body."""


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body that was read."""

    data: Any
    """Its value: every text free of controls but LF and TAB and of lone surrogates; no NaN, no infinity."""
    lenient: bool = False
    """True where it was not strict JSON (RFC 8259)."""


def read_json(raw: bytes) -> JsonBody:
    """Read a body.

    Of a name given twice the last one counts, strictly and leniently alike (RFC 8259 section 4 leaves it
    open). Whole numbers too large for 64 bits become texts of their digits: a ticket number must not be
    rounded.
    Raises NotJsonError.
    """
    try:
        return JsonBody(_Cleaning(exact=True).value(orjson.loads(raw)))
    except _InexactError:
        return JsonBody(_read_leniently(raw))
    except orjson.JSONDecodeError:
        return JsonBody(_read_leniently(raw), lenient=True)


def _read_leniently(raw: bytes) -> Any:
    """What templates make: line breaks inside strings, a byte order mark, NaN, bytes of Latin-1."""
    try:
        value = json.loads(
            raw.decode("utf-8-sig", errors="replace"),
            strict=False,
            parse_int=_whole_number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotJsonError("nested too deep") from None
    return _Cleaning(exact=False).value(value)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _no_number(_constant: str) -> None:
    """NaN and the infinities are not JSON and mean nothing in a ticket."""


class _InexactError(Exception):
    """A number did not fit 64 bits and lost digits."""


class _Cleaning:
    """One walk over a parsed body, within the bounds."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._left = MAX_VALUES

    def value(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0:
            raise NotJsonError(f"more than {MAX_VALUES} values")
        if isinstance(value, str):
            return json_text(value)
        if isinstance(value, dict | list):
            return self._inside(value, depth + 1)
        if isinstance(value, float):
            return self._number(value)
        return value

    def _inside(self, value: dict[str, Any] | list[Any], depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotJsonError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, list):
            return [self.value(one, depth) for one in value]
        return {json_text(name): self.value(one, depth) for name, one in value.items()}

    def _number(self, value: float) -> float | None:
        if self._exact and abs(value) >= _EXACT_FLOAT:
            raise _InexactError
        # "1e999" is valid JSON and infinite as a float (RFC 8259 section 6).
        return value if abs(value) < float("inf") else None
