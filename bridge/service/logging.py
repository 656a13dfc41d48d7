"""The log: what the bridge says through structlog, and what libraries say through logging, one way to stderr.

The way of an event: level and room, time, the exception as text, everything made harmless, one line.
"""

import logging
import os
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.service.failure import describe_failure
from bridge.service.lines import line_format
from bridge.service.redact import redact

Level = Literal["debug", "info", "warning", "error"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_TALKATIVE = ("aioimaplib", "aioimaplib.aioimaplib")
"""Below warning it logs what is sent and received: passwords and mail text."""


def configure_logging(level: Level = "info", stream: TextIO | None = None) -> None:
    """Set the log up for this process; to be called once, before the first line. The stream is stderr if not
    given.

    JSON lines, or readable ones on a terminal; with priorities where the stream is the journal. The level is
    that of the bridge; other libraries' lines begin at warning, and those of aioimaplib whatever happens.
    """
    target = sys.stderr if stream is None else stream
    structlog.configure(
        processors=_way(target),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *names: LineLogger(target, *names),
        cache_logger_on_first_use=True,
    )
    _take_over_standard_logging()


class LineLogger:
    """Where the way ends: writes a finished line to the stream, and flushes it."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self.name = name
        self._write = (
            stream.buffer.write if hasattr(stream, "buffer") else lambda line: stream.write(line.decode())
        )
        self._flush = stream.flush

    def write(self, line: bytes) -> None:
        """Write one line."""
        try:
            self._write(line + b"\n")
            self._flush()
        except (OSError, ValueError):
            # The reader of stderr is gone, or it is closed; there is no other place to say so, and work goes
            # on.
            return

    debug = info = warning = error = critical = msg = write


class StandardHandler(logging.Handler):
    """Hands the standard library's records to structlog, under the name of their logger."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record. With an exception only the first line: asyncio puts the exception's words in the
        rest.
        """
        words = _words(record)
        event = words.partition("\n")[0] if record.exc_info else words
        structlog.get_logger(record.name).log(record.levelno, event, exc_info=record.exc_info)


def _words(record: logging.LogRecord) -> str:
    """Formatting may fail on a library's mistake; its caller must not feel that, and no value is shown."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 -- whatever a __str__ or % of another library raises
        return (
            f"(a line of {record.filename}:{record.lineno} that cannot be formatted: {type(error).__name__})"
        )


def _way(stream: TextIO) -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        _add_room,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_failure,
        redact,
        line_format(stream, os.environ),
    ]


def _add_room(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["logger"] = logger.name
    return event


def _take_over_standard_logging() -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, StandardHandler)]:
        root.removeHandler(handler)
    root.addHandler(StandardHandler(logging.WARNING))
    root.setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
