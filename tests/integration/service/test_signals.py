"""Signals sent to a real process that handles them as the bridge does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

PROGRAM = """
import asyncio, os, sys
from bridge.service.logging import configure_logging
from bridge.service.signals import signals_handled

async def work(stop, mode):
    with signals_handled(stop):
        print("ready", flush=True)
        if mode == "blocked":
            while True:
                pass
        await stop.wait()
        print("stopping", flush=True)
        if mode == "slow-stop":
            await asyncio.Event().wait()
        if mode == "abort":
            os.abort()

async def main(mode):
    await asyncio.create_task(work(asyncio.Event(), mode), name="worker")

configure_logging()
if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main(sys.argv[2]))
else:
    asyncio.run(main(sys.argv[2]))
"""

LOOPS = ["asyncio", "uvloop"]


@contextmanager
def running(loop: str, mode: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, loop, mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert said(process) == "ready"
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop(loop: str, number: signal.Signals) -> None:
    """SIGTERM and SIGINT set the event; the process ends by itself with 0."""
    with running(loop, "quick") as process:
        process.send_signal(number)
        assert said(process) == "stopping"
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0, errors
        assert orjson.loads(errors.splitlines()[0])["signal"] == number.name


@pytest.mark.parametrize("loop", LOOPS)
def test_the_second_signal_ends_at_once(loop: str) -> None:
    """Where stopping takes too long for the operator, a second signal ends the process."""
    with running(loop, "slow-stop") as process:
        process.send_signal(signal.SIGTERM)
        assert said(process) == "stopping"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("loop", LOOPS)
def test_sigusr1_shows_what_the_tasks_do(loop: str) -> None:
    """SIGUSR1 writes every task with the place where it waits, and the work goes on."""
    with running(loop, "quick") as process:
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        lines = [orjson.loads(process.stderr.readline()) for _ in range(3)]
        assert lines[0]["event"] == "task-dump"
        worker = next(line for line in lines[1:] if line["task"] == "worker")
        assert worker["at"][0].endswith(" work")
        assert worker["at"][-1].endswith(" Event.wait")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert process.returncode == 0


def test_an_abort_leaves_the_stacks() -> None:
    """What the watchdog does to a process that hangs (SIGABRT) shows in the log where it hung."""
    with running("asyncio", "blocked") as process:
        process.send_signal(signal.SIGABRT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == -signal.SIGABRT
        assert "in work" in errors
