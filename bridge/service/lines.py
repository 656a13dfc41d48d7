"""A log event as a line: JSON for programs, words for a terminal, priorities for the journal."""

import os
import stat
from collections.abc import Mapping
from typing import Any, TextIO

import orjson
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, WrappedLogger

PRIORITIES = {"debug": b"<7>", "info": b"<6>", "warning": b"<4>", "error": b"<3>", "critical": b"<2>"}
"""sd-daemon(3): syslog's levels as a prefix, which the journal takes off and keeps as PRIORITY."""

_FIRST = ("timestamp", "level", "logger", "event")


class JsonLines:
    """The last processor: one JSON object on one line, its time, level, room and name first."""

    def __init__(self, *, priorities: bool) -> None:
        self._priorities = priorities

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
        """The line without its end. What it gets was made plain by `bridge.service.redact`."""
        head = {key: event.pop(key) for key in _FIRST if key in event}
        line = orjson.dumps({**head, **event})
        return PRIORITIES.get(head.get("level", ""), b"<6>") + line if self._priorities else line


class TerminalLines:
    """The last processor for a terminal: aligned words, coloured unless $NO_COLOR is there (no-color.org)."""

    def __init__(self, *, colours: bool) -> None:
        self._render = ConsoleRenderer(
            colors=colours, exception_formatter=plain_traceback, sort_keys=False, pad_event_to=24
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        """The line, and an exception's text below it."""
        return self._render(logger, method, event).encode()


def line_format(stream: TextIO, environ: Mapping[str, str]) -> JsonLines | TerminalLines:
    """The format that suits who reads the stream."""
    if stream.isatty():
        return TerminalLines(colours=not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")
    return JsonLines(priorities=is_journal(stream, environ.get("JOURNAL_STREAM", "")))


def is_journal(stream: Any, journal: str) -> bool:
    """Whether the stream is the one that $JOURNAL_STREAM names as `device:inode` (systemd.exec(5))."""
    if not journal:
        return False
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(there.st_mode) and journal == f"{there.st_dev}:{there.st_ino}"
