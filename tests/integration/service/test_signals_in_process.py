"""Signals that this process sends itself, so that what they leave behind can be looked at."""

import asyncio
import faulthandler
import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.service.signals import STOP_SIGNALS, signals_handled
from tests.wait import until


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves this process's own handlers, and the test runner's crash report, as they were."""
    monkeypatch.setattr(faulthandler, "enable", lambda _stream: None)
    structlog.reset_defaults()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_after_the_first_signal_the_kernel_has_both_again(number: signal.Signals) -> None:
    """The first one sets the event; from then on either signal would end the process, with no code in between."""
    stop = asyncio.Event()
    with signals_handled(stop):
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
        assert {signal.getsignal(one) for one in STOP_SIGNALS} == {signal.SIG_DFL}


async def test_afterwards_everything_is_as_before() -> None:
    """When the block is left, also by an exception, the handlers of before are there again."""
    before = [signal.getsignal(one) for one in STOP_SIGNALS]
    with pytest.raises(RuntimeError, match="inside"), signals_handled(asyncio.Event()):
        raise RuntimeError("inside")
    assert [signal.getsignal(one) for one in STOP_SIGNALS] == before
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


async def test_sigusr1_logs_each_task_and_stops_nothing() -> None:
    """A dump is one line with the number of tasks and one for each, and no event is set."""
    stop = asyncio.Event()
    with signals_handled(stop), capture_logs() as lines:
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(lines) >= 2)
        assert lines[0]["event"] == "task-dump"
        assert lines[0]["tasks"] == len(lines) - 1
        assert not stop.is_set()


async def test_sighup_warns_and_stops_nothing() -> None:
    """Whoever tells the service to reload reads in the log that it must be restarted, and it goes on."""
    stop = asyncio.Event()
    before = signal.getsignal(signal.SIGHUP)
    with signals_handled(stop), capture_logs() as lines:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: bool(lines))
        assert [(line["event"], line["log_level"]) for line in lines] == [("no-reload", "warning")]
        assert "restart" in lines[0]["hint"]
        assert not stop.is_set()
    assert signal.getsignal(signal.SIGHUP) == before


async def test_a_stderr_without_a_file_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr was replaced by something that is no file, signals are handled all the same."""

    def refuse(_stream: object) -> None:
        raise ValueError("no file")

    monkeypatch.setattr(faulthandler, "enable", refuse)
    stop = asyncio.Event()
    with signals_handled(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
    assert stop.is_set()
