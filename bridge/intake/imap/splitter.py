"""The stream of bytes from a mail server, split into responses in one pass and in bounded memory."""

import re
from collections.abc import Callable

MAX_LINE = 16 * 1024 * 1024
"""Bytes kept of one line; of a longer one the middle is left out. A SEARCH of a million messages fits."""
MAX_LITERAL = 1024 * 1024
"""Bytes kept of one literal; the rest is read and dropped. Nothing larger is ever asked for."""
MAX_RESPONSE = 32 * 1024 * 1024
"""Bytes kept of one response, all its lines and literals together."""
PART_OVERHEAD = 64
"""Bytes of memory that a part costs besides its own, so that many empty ones are bounded too."""
SEAM = b"\x00"
"""Stands where a line's middle was left out. No grammar allows it, so the response is seen to be broken."""
TAIL = 64
"""Bytes kept of an overlong line's end: enough for `{n}`, which keeps the stream in step."""

Parts = list[bytes]
"""A response: line, literal, line, literal, ..., line, without CRLF; `{n}` stays at the end of its line."""

_LITERAL = re.compile(rb"\{(\d{1,19})\}\Z")


class ResponseSplitter:
    """Gives each complete response to `complete` (RFC 9051 section 4.3: a literal is `{n}`, CRLF, n
    bytes).
    """

    def __init__(
        self, complete: Callable[[Parts], None], *, max_line: int = MAX_LINE, max_literal: int = MAX_LITERAL
    ) -> None:
        self._complete = complete
        self._max_line = max_line
        self._max_literal = max_literal
        self._line = bytearray()
        self._parts: Parts = []
        self._room = MAX_RESPONSE
        self._literal = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take what was received. What `complete` raises is raised; the stream must not be used after
        that.
        """
        position, size = 0, len(data)
        while position < size:
            position = (
                self._take_literal(data, position) if self._missing else self._take_line(data, position)
            )

    def pending(self) -> bool:
        """Whether part of a response has come and the rest has not."""
        return bool(self._line or self._parts or self._missing)

    def _take_line(self, data: bytes, position: int) -> int:
        if self._line and self._line[-1] == 13 and data[position] == 10:
            line, position = bytes(self._line[:-1]), position + 1
            self._line.clear()
        else:
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep(data[position:])
                return len(data)
            line, position = data[position:end], end + 2
            if self._line:
                self._keep(line)
                line = bytes(self._line)
                self._line.clear()
        self._line_ended(line)
        return position

    def _keep(self, more: bytes) -> None:
        self._line += more
        if len(self._line) > self._max_line:
            self._line[self._max_line // 2 : -TAIL] = SEAM

    def _line_ended(self, line: bytes) -> None:
        literal = _LITERAL.search(line) if line.endswith(b"}") else None
        self._add(line)
        if literal is None:
            parts, self._parts = self._parts, []
            if self._room <= 0:
                parts = [parts[0][: self._max_line] + SEAM]
            self._room = MAX_RESPONSE
            self._complete(parts)
            return
        self._missing = int(literal[1])
        if not self._missing:
            self._add(b"")

    def _take_literal(self, data: bytes, position: int) -> int:
        taken = min(self._missing, len(data) - position)
        room = self._max_literal - len(self._literal)
        if room > 0:
            self._literal += data[position : position + min(taken, room)]
        self._missing -= taken
        if not self._missing:
            self._add(bytes(self._literal))
            self._literal.clear()
        return position + taken

    def _add(self, part: bytes) -> None:
        self._room -= len(part) + PART_OVERHEAD
        if self._room > 0 or not self._parts:
            self._parts.append(part)
