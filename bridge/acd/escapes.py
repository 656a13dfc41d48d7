r"""Halves of surrogate pairs that a cut text leaves in JSON: `\ud83d` alone is the first half of an emoji.

RFC 8259 section 8.2 allows them and leaves open what a reader does. Parsers refuse the whole answer, so that one event
whose text was cut would make the ACD's list unreadable for all.
"""

import re
from typing import Final

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape, where one half without the other is a group."""
_FIRST_HALF: Final = re.compile(rb"\\u[dD][89abAB][\da-fA-F]{2}")
_HALF: Final = 6
_LONGEST: Final = 2 * _HALF


def mended(document: bytes) -> bytes:
    """The JSON with U+FFFD in place of each half that stands alone."""
    if rb"\ud" not in document and rb"\uD" not in document:
        return document
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], document)


class Mending:
    """Mends JSON that comes in parts."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> bytes:
        """What can be told of it by now."""
        come = self._rest + part
        cut = _boundary(come)
        self._rest = come[cut:]
        return mended(come[:cut])

    def end(self) -> bytes:
        """What is left."""
        return mended(self._rest)


def _boundary(come: bytes) -> int:
    """Where no escape and no pair is cut in two: at the end, or before the first that may go on in the next part."""
    slash = come.find(b"\\", max(0, len(come) - _LONGEST + 1))
    if slash < 0:
        return len(come)
    cut = _start_of_escape(come, slash)
    return (
        _start_of_escape(come, cut - _HALF) if _FIRST_HALF.fullmatch(come[max(0, cut - _HALF) : cut]) else cut
    )


def _start_of_escape(come: bytes, slash: int) -> int:
    """In a row of backslashes each two are one escape, from the first."""
    first = len(come[:slash].rstrip(b"\\"))
    return first + (slash - first) // 2 * 2
