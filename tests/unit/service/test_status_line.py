"""The line of `systemctl status` goes on, whatever a look at the service raises."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from bridge.cli.run import report_status
from bridge.errors import StateFileError
from bridge.service.notify import Notifier
from bridge.web.status import Status
from tests.wait import until


class Heard(Notifier):
    """A notifier that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("/run/nobody")
        self.lines: list[str] = []

    def status(self, text: str) -> None:
        """The line."""
        self.lines.append(text)


def status(waiting: int) -> Status:
    return Status(
        version="1", started_at=datetime(2026, 1, 1, tzinfo=UTC), mailboxes=[], webhooks=[],
        items={"pending": waiting}, oldest_open_age=None, paused=None,
    )  # fmt: skip


async def lines_of(looks: Iterable[Exception | int]) -> tuple[list[str], list[str]]:
    """The lines that the service manager gets, and the events in the log."""
    left, heard = list(looks), Heard()

    async def look() -> Status:
        found = left.pop(0) if left else StateFileError("the end")
        if isinstance(found, Exception):
            raise found
        return status(found)

    with capture_logs() as logs:
        task = asyncio.create_task(report_status(look, heard, 0.0))
        await until(lambda: not left or task.done())
        task.cancel()
    return heard.lines, [entry["event"] for entry in logs]


@pytest.mark.parametrize("error", [StateFileError("busy"), KeyError("a defect"), OSError("no more files")])
async def test_the_line_goes_on_after_a_look_that_failed(error: Exception) -> None:
    """The next look is shown."""
    lines, _ = await lines_of([1, error, 2])
    assert lines == ["1 waiting", "2 waiting"]


async def test_a_defect_is_told_once_until_it_is_over() -> None:
    """A lasting one does not fill the journal; a state file that fails is told by the worker."""
    defect = KeyError("a defect")
    assert await lines_of([defect, defect, StateFileError("busy"), defect]) == ([], ["status-line-crashed"])
    _, told = await lines_of([defect, 1, defect])
    assert told == ["status-line-crashed"] * 2
