"""How deep JSON is nested, told part by part before a parser sees it.

ijson keeps the whole path of every level that is open, so that its memory grows with the square of the depth.
"""

import re
from typing import Final

MAX_DEPTH: Final = 64
"""The ACD's lists nest three deep; more is an attack on whatever reads them."""

# A text that has its end, or one that is cut off there. Without a way back, so that the time is linear.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"|("(?:[^"\\]++|\\.)*+\\?\Z)', re.DOTALL)
_LOOKED_AT: Final = 16 * 1024
"""Bytes at a time: leaving out texts makes many small pieces."""
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(_OPENING + _CLOSING)))


class Nesting:
    """The depth at the end of what was seen so far."""

    def __init__(self) -> None:
        self._depth = 0
        self._cut = b""
        """What stands for the text that the last part ended within."""

    def goes_too_deep(self, part: bytes) -> bool:
        """Whether the next part opens more than MAX_DEPTH objects and lists within each other."""
        return any(self._is_too_deep(part[at : at + _LOOKED_AT]) for at in range(0, len(part), _LOOKED_AT))

    def _is_too_deep(self, part: bytes) -> bool:
        brackets = self._outside_of_texts(part).translate(None, _NO_BRACKETS)
        opened = sum(brackets.count(sign) for sign in _OPENING)
        if self._depth + opened <= MAX_DEPTH:
            self._depth += 2 * opened - len(brackets)
            return False
        return any(self._step(sign) > MAX_DEPTH for sign in brackets)

    def _step(self, bracket: int) -> int:
        self._depth += 1 if bracket in _OPENING else -1
        return self._depth

    def _outside_of_texts(self, part: bytes) -> bytes:
        left = _TEXT.sub(rb"\1", self._cut + part)
        at = left.find(b'"')
        if at < 0:
            self._cut = b""
            return left
        escapes = len(left) - len(left.rstrip(b"\\"))
        self._cut = b'"\\' if escapes % 2 else b'"'
        return left[:at]
