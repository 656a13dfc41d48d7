"""IMAP's values: atoms, quoted strings, literals and lists of them (RFC 9051 section 9), bounded."""

import re
from collections.abc import Sequence
from typing import TypeAlias

from bridge.errors import ImapError

MAX_DEPTH = 100
"""Lists within lists. The deepest honest BODYSTRUCTURE has about ten."""
MAX_VALUES = 2_000_000
"""Values in one response; a list of all UIDs of the largest folders fits."""

Value: TypeAlias = "bytes | list[Value] | None"
"""An atom, string or literal; a list; or NIL, which is not the string "NIL"."""


class GrammarError(ImapError):
    """A response that IMAP does not allow. Its message holds no byte of the response."""


_ATOM, _OPEN, _CLOSE, _QUOTED, _LITERAL = 1, 2, 3, 4, 5
# An atom may hold a section in brackets, with spaces in it: BODY[HEADER.FIELDS (TO)]<0>.
_TOKEN = re.compile(
    rb"""[ ]*(?:
    ((?:[^\x00-\x20(){}"\[\]\x7f]|\[[^\]\x00\r\n]*\])+) |
    (\() |
    (\)) |
    "([^"\\\x00\r\n]*(?:\\["\\][^"\\\x00\r\n]*)*)" |
    (~?\{\d{1,19}\}\Z)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(rb'\\(["\\])')


def parse_values(parts: Sequence[bytes], start: int = 0) -> list[Value]:  # noqa: C901, PLR0912 - flat for speed
    """The values of a response from `start` of its first line on. Raises GrammarError."""
    values: list[Value] = []
    open_lists: list[list[Value]] = []
    current = values
    count = 0
    for index in range(0, len(parts), 2):
        line = parts[index]
        position, end = (start if index == 0 else 0), len(line)
        while position < end:
            token = _TOKEN.match(line, position)
            if token is None:
                if line[position:].isspace():
                    break
                raise GrammarError(f"no value at byte {position} of part {index}")
            position = token.end()
            count += 1
            kind = token.lastindex
            if kind == _ATOM:
                atom = token[1]
                current.append(None if len(atom) == 3 and atom.upper() == b"NIL" else atom)
            elif kind == _OPEN:
                if len(open_lists) >= MAX_DEPTH:
                    raise GrammarError(f"more than {MAX_DEPTH} lists within lists")
                inner: list[Value] = []
                current.append(inner)
                open_lists.append(current)
                current = inner
            elif kind == _CLOSE:
                if not open_lists:
                    raise GrammarError("a list ends that did not begin")
                current = open_lists.pop()
            elif kind == _QUOTED:
                quoted = token[4]
                current.append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
            else:
                current.append(_literal(parts, index))
        if count > MAX_VALUES:
            raise GrammarError(f"more than {MAX_VALUES} values")
    if open_lists:
        raise GrammarError("a list does not end")
    return values


def _literal(parts: Sequence[bytes], index: int) -> bytes:
    if index + 1 >= len(parts):
        raise GrammarError("a literal is missing")
    return parts[index + 1]


def number(value: Value, largest: int = 2**32 - 1) -> int:
    """The number (RFC 9051: 32 bits, unless another largest is given). Raises GrammarError."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 19 or int(value) > largest:
        raise GrammarError("not a number within its bounds")
    return int(value)


def quoted(text: str) -> str:
    """The text as a quoted string. Raises ValueError for what no quoted string can hold (NUL, CR, LF)."""
    if any(sign in text for sign in "\0\r\n"):
        raise ValueError("NUL, CR and LF cannot be quoted")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
