"""One way for every line: the bridge's own and that of the libraries."""

import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from bridge.service.logging import Level, LineLogger, StandardHandler, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves logging as it was, so that other tests are not changed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


class Log:
    def __init__(self, level: Level = "info") -> None:
        self.stream = io.StringIO()
        configure_logging(level, self.stream)

    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line_says_when_where_and_what() -> None:
    """A line has its time in UTC, its level, its room, its name and its fields."""
    log = Log()
    structlog.get_logger("bridge.test").info("thing-done", count=3)
    (line,) = log.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "logger": "bridge.test", "event": "thing-done", "count": 3}


def test_lines_below_the_level_are_not_written() -> None:
    """At info there is no debug; at debug there is."""
    quiet = Log()
    structlog.get_logger("bridge.test").debug("detail")
    assert quiet.lines() == []
    talkative = Log("debug")
    structlog.get_logger("bridge.test").debug("detail")
    assert [line["event"] for line in talkative.lines()] == ["detail"]


def test_an_exception_is_one_line() -> None:
    """log.exception() makes one JSON line with the exception's text in it."""
    log = Log()
    try:
        Path("/nonexistent/x").read_bytes()
    except OSError:
        structlog.get_logger("bridge.test").exception("store-failed")
    (line,) = log.lines()
    assert line["level"] == "error"
    assert line["exception"].startswith("FileNotFoundError: ")


def test_libraries_go_the_same_way_from_warning_on() -> None:
    """A library's warning is a line like ours; its chatter is not written."""
    log = Log("debug")
    library = logging.getLogger("aiohttp.server")
    library.info("chatter")
    library.warning("hm %s", "\x1b[2J")
    (line,) = log.lines()
    assert (line["logger"], line["level"], line["event"]) == ("aiohttp.server", "warning", "hm \\x1b[2J")


def test_a_library_s_exception_shows_no_text_of_a_mail() -> None:
    """The asyncio library's line about a lost task repeats the exception's words; they are left out."""
    log = Log()
    error = ValueError("private text")
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: %r", error, exc_info=error
    )
    (line,) = log.lines()
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"] == "ValueError"
    assert "private text" not in log.stream.getvalue()


def test_the_mail_library_cannot_log_passwords() -> None:
    """What aioimaplib logs below warning (LOGIN commands, mails) is never written, whatever the level."""
    log = Log("debug")
    for name in ("aioimaplib", "aioimaplib.aioimaplib"):
        library = logging.getLogger(name)
        library.debug("Sending : LOGIN user hunter2")
        library.setLevel(logging.DEBUG)
        library.info("Sending : LOGIN user hunter2")
    assert log.lines() == []


def test_python_warnings_are_lines() -> None:
    """A warning of the language is a line of the log, not bare text on stderr."""
    log = Log()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        configure_logging("info", log.stream)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    (line,) = log.lines()
    assert line["logger"] == "py.warnings"
    assert "old way" in line["event"]


def test_configuring_twice_writes_each_line_once() -> None:
    """A second call replaces the first one's handler."""
    Log()
    log = Log()
    logging.getLogger("other").warning("once")
    assert len(log.lines()) == 1
    assert sum(isinstance(handler, StandardHandler) for handler in logging.getLogger().handlers) == 1


def test_a_broken_stream_does_not_stop_the_work() -> None:
    """A line that cannot be written is lost, and nothing is raised."""

    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    LineLogger(Gone(), "x").info(b"line")
    closed = io.StringIO()
    closed.close()
    LineLogger(closed, "x").info(b"line")
    assert closed.closed


def test_a_record_that_cannot_be_formatted_is_not_fatal() -> None:
    """A library's wrong format string does not reach its caller, and its values are not shown."""
    log = Log()
    record = logging.LogRecord("other", logging.WARNING, "/lib/x.py", 7, "%d", ("private",), None)
    StandardHandler().emit(record)
    (line,) = log.lines()
    assert line["event"] == "(a line of x.py:7 that cannot be formatted: TypeError)"
