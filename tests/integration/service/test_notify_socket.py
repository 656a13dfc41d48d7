"""What a service manager's socket really gets."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bridge.service.notify import Notifier
from bridge.service.watchdog import keep_watchdog


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        yield manager


def received(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_the_whole_life_of_a_service_is_told(tmp_path: Path) -> None:
    """Start, status and stop arrive as sd_notify(3) writes them, one datagram each."""
    address = str(tmp_path / "notify")
    with listening(address) as manager:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
        notifier.ready("2/2 mailboxes connected")
        assert received(manager) == ["READY=1", "STATUS=2/2 mailboxes connected"]
        notifier.status("0 waiting")
        assert received(manager) == ["STATUS=0 waiting"]
        notifier.stopping("draining")
        assert received(manager) == ["STOPPING=1", "STATUS=draining"]
        notifier.watchdog()
        assert received(manager) == ["WATCHDOG=1"]


def test_abstract_sockets_are_reached(tmp_path: Path) -> None:
    """An address that begins with `@` is a socket of the abstract namespace."""
    name = f"acd-bridge-test-{tmp_path.name}"
    with listening(f"\0{name}") as manager:
        Notifier(f"@{name}").ready()
        assert received(manager) == ["READY=1"]


def test_a_manager_that_is_gone_does_not_stop_the_work(tmp_path: Path) -> None:
    """Where nobody listens any more, nothing is raised."""
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready("still here")
    assert notifier.listening


def test_a_manager_that_does_not_read_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full socket costs a bounded time, and what does not fit is left out."""
    monkeypatch.setattr("bridge.service.notify.SEND_SECONDS", 0.001)
    address = str(tmp_path / "notify")
    with listening(address) as manager:
        notifier = Notifier(address)
        for _ in range(2000):
            notifier.watchdog()
        manager.setblocking(False)
        assert 0 < _pending(manager) < 2000


def _pending(manager: socket.socket) -> int:
    count = 0
    with suppress(BlockingIOError):
        while manager.recv(100):
            count += 1
    return count


async def test_the_watchdog_is_fed_over_the_socket(tmp_path: Path) -> None:
    """The loop's pings arrive at the service manager."""
    address = str(tmp_path / "notify")
    with listening(address) as manager:
        manager.setblocking(False)
        task = asyncio.create_task(keep_watchdog(Notifier(address), lambda: True, 0.001))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            for _ in range(3):
                assert await loop.sock_recv(manager, 100) == b"WATCHDOG=1"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
