"""The form of a log line fits its reader."""

import io
from typing import Any

import orjson
import pytest

from bridge.service.lines import JsonLines, TerminalLines, is_journal, line_format


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(**fields: Any) -> dict[str, Any]:
    return {"source": "support", "event": "mailbox-connected", "level": "info", "logger": "bridge.imap",
            "timestamp": "2026-01-02T03:04:05Z", **fields}  # fmt: skip


def test_json_lines_begin_with_time_level_room_and_name() -> None:
    """The fixed fields come first, so that people can read the lines as they are."""
    line = JsonLines(priorities=False)(None, "info", event())
    assert list(orjson.loads(line)) == ["timestamp", "level", "logger", "event", "source"]
    assert b"\n" not in line


@pytest.mark.parametrize(
    ("level", "prefix"),
    [("debug", b"<7>{"), ("info", b"<6>{"), ("warning", b"<4>{"), ("error", b"<3>{"), ("critical", b"<2>{")],
)
def test_the_journal_gets_priorities(level: str, prefix: bytes) -> None:
    """Each level is syslog's priority of sd-daemon(3)."""
    assert JsonLines(priorities=True)(None, level, event(level=level)).startswith(prefix)


def test_a_terminal_gets_words() -> None:
    """On a terminal a line is readable, with its fields as key=value."""
    line = TerminalLines(colours=False)(None, "info", event()).decode()
    assert "mailbox-connected" in line
    assert "source=support" in line
    assert "\x1b" not in line


def test_a_terminal_shows_the_trace_below() -> None:
    """An exception's text stands below its line, line by line."""
    line = TerminalLines(colours=False)(None, "error", event(exception="OSError: x\n  a.py:1 f")).decode()
    assert line.endswith("OSError: x\n  a.py:1 f")


@pytest.mark.parametrize(
    ("environ", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_can_be_refused(environ: dict[str, str], colours: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """No colour where $NO_COLOR is there or the terminal is dumb."""
    line = line_format(Screen(), environ)(None, "info", event())
    assert (b"\x1b" in line) is colours


def test_without_a_terminal_the_lines_are_json() -> None:
    """A pipe or a file gets JSON without priorities."""
    assert line_format(io.StringIO(), {})(None, "info", event()).startswith(b'{"timestamp"')


@pytest.mark.parametrize("journal", ["", "1:2", "nonsense", "0:0"])
def test_a_stream_that_is_not_the_journal(journal: str) -> None:
    """$JOURNAL_STREAM may be inherited by a process whose stderr goes elsewhere."""
    assert not is_journal(io.StringIO(), journal)
