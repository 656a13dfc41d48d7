"""What the service does where its state file cannot be written or read: one clear error, and nothing lost.

Each is the real process on a real file: a disk that is full, one that nobody may write, a lock of somebody else's, a
file that is damaged.
"""

import asyncio
import json
import resource
import signal
import sqlite3
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

from bridge.acd.simulator.server import Simulator
from bridge.ledger import queries
from bridge.ledger.file import open_for_writing
from bridge.ledger.item import ItemFilter
from bridge.ledger.verify import violations
from bridge.ledger.visit import look, look_at_once
from tests.integration.test_service import CONFIG, finished, free_port
from tests.wait import until

MEGABYTE = 2**20


class Service:
    """The running process, with its log as it grows."""

    def __init__(self, process: Process, log: Path, port: int) -> None:
        self.process = process
        self._log = log
        self._url = f"http://127.0.0.1:{port}/hooks/desk"
        self._posted = 0

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> list[dict[str, object]]:
        return [line for line in self.lines() if line["event"] == event]

    async def post(self) -> tuple[str, int]:
        """Post a ticket of its own; its number, and the status of the answer."""
        self._posted += 1
        number = f"T-{self._posted}"
        data = {"number": number, "subject": "x" * 900, "requestor_email": "a@b.c"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url, json={"data": data}, headers={"webhook-id": number}) as answer,
        ):
            return number, answer.status

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)


def configuration(folder: Path, state: Path, acd: str, port: int) -> Path:
    config = folder / "bridge.toml"
    # Without the bridge's own bounds, which would stop the test before the disk does.
    text = CONFIG.format(acd=acd, folder=state, port=port)
    text = text.replace("[[webhook]]", "least_free = 0\n[[webhook]]\nrate = 100000")
    config.write_text(text)
    return config


@asynccontextmanager
async def service(
    folder: Path, state: Path, acd: str, before: Callable[[], None] | None = None
) -> AsyncIterator[Service]:
    port, log = free_port(), folder / "log"
    config = configuration(folder, state, acd, port)
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", "run", "--config", str(config), stderr=stderr, preexec_fn=before
        )
    running = Service(process, log, port)
    try:
        await until(lambda: bool(running.said("started")), within=30)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], capture_output=True, check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def accepted_until_full(running: Service) -> list[str]:
    """The numbers of what was answered 200, until something was not."""
    taken: list[str] = []
    for _ in range(5000):
        number, status = await running.post()
        if status != 200:
            assert status == 503
            return taken
        taken.append(number)
    raise AssertionError("the disk did not get full")


def numbers_in(path: Path) -> set[str]:
    found = look(path, lambda conn: queries.items(conn, ItemFilter(limit=10_000)))
    return {item.message["ticket_number"] for item in found}


async def test_a_full_disk(tmp_path: Path, small_disk: Path, acd: Simulator) -> None:
    """Helpdesks are asked to come again, the service stays, the log says why; with space it goes on by itself. What was
    answered 200 is there, and all of it is posted.
    """
    (small_disk / "filler").write_bytes(bytes(MEGABYTE))
    async with service(tmp_path, small_disk, acd.url) as running:
        taken = await accepted_until_full(running)
        assert len(taken) > 3
        why = running.said("webhook-not-stored")
        assert "disk is full" in str(why[0]["error"])
        assert running.process.returncode is None
        (small_disk / "filler").unlink()
        number, status = await running.post()
        assert status == 200
        path = small_disk / "state.db"
        await until(lambda: look(path, queries.totals)["created"] == len(taken) + 1, within=60)
        assert await running.stop() == 0
    assert numbers_in(path) == {*taken, number}
    assert len(acd.events) == len(taken) + 1
    assert look_at_once(path, violations) == []


async def test_a_limit_of_the_files_size(tmp_path: Path, acd: Simulator) -> None:
    """The same where the system lets the file grow no further."""
    bound = MEGABYTE

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))

    async with service(tmp_path, tmp_path, acd.url, before=limited) as running:
        taken = await accepted_until_full(running)
        assert len(taken) > 3
        assert running.said("webhook-not-stored")
        assert running.process.returncode is None
        running.process.kill()
        await running.process.wait()
    path = tmp_path / "state.db"
    async with service(tmp_path, tmp_path, acd.url):
        await until(lambda: look(path, queries.totals)["created"] == len(taken), within=60)
    assert numbers_in(path) == set(taken)
    assert len(acd.events) == len(taken)
    assert look_at_once(path, violations) == []


def filled(path: Path) -> bytes:
    with closing(open_for_writing(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


async def refused(folder: Path, state: Path) -> str:
    """What a start that must not succeed says: two lines, the error and what to do, and the code for the state file."""
    code, out, err = await finished(
        "run", "--config", str(configuration(folder, state, "https://acd.invalid", 1))
    )
    assert (code, out) == (74, "")
    problem, hint = [line for line in err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert "state.db" in problem
    assert "Traceback" not in err
    return problem + hint


async def test_a_file_that_nobody_may_write(tmp_path: Path, small_disk: Path) -> None:
    """The service does not start, which systemd need not try again; a command says so, too. The file stays as it is."""
    before = filled(small_disk / "state.db")
    await asyncio.to_thread(mount, "-o", "remount,ro", small_disk)
    config = str(configuration(tmp_path, small_disk, "https://acd.invalid", 1))
    code, _, err = await finished("run", "--config", config)
    assert code == 78
    assert "state.path: this user cannot write in" in err
    code, _, err = await finished("items", "drop", "x", "--why", "y", "--yes", "--config", config)
    assert code == 74
    assert len(err.splitlines()) == 2
    assert "permissions" in err
    assert (small_disk / "state.db").read_bytes() == before


async def test_a_damaged_file(tmp_path: Path) -> None:
    """It is not written into, so that whoever looks at it finds what there was."""
    path = tmp_path / "state.db"
    damaged = bytearray(filled(path))
    damaged[8192:12288] = b"\xff" * 4096
    path.write_bytes(damaged)
    words = await refused(tmp_path, tmp_path)
    assert "damaged" in words
    assert "backup" in words
    assert path.read_bytes() == damaged


async def test_a_file_that_another_process_locks(tmp_path: Path, acd: Simulator) -> None:
    """Helpdesks are asked to come again while it lasts; when it is over, the service goes on with all that it took."""
    path = tmp_path / "state.db"
    async with service(tmp_path, tmp_path, acd.url) as running:
        first, _ = await running.post()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            _, status = await running.post()
            assert status == 503
            assert "locked" in str(running.said("webhook-not-stored")[0]["error"])
            other.execute("ROLLBACK")
        second, status = await running.post()
        assert status == 200
        await until(lambda: look(path, queries.totals)["created"] == 2, within=30)
        assert await running.stop() == 0
    assert numbers_in(path) == {first, second}
    assert look_at_once(path, violations) == []


async def test_a_locked_file_at_the_start(tmp_path: Path) -> None:
    """The start says who is in the way of it, and how to find out which."""
    filled(tmp_path / "state.db")
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in await refused(tmp_path, tmp_path)


async def test_copies_while_the_service_writes(tmp_path: Path, acd: Simulator) -> None:
    """Each copy is whole and of one moment, whatever is being written; nothing that was taken in waits for it."""
    config = tmp_path / "bridge.toml"
    async with service(tmp_path, tmp_path, acd.url) as running:
        going = True

        async def keep_posting() -> list[str]:
            taken = []
            while going:
                number, status = await running.post()
                assert status == 200
                taken.append(number)
            return taken

        posting = asyncio.create_task(keep_posting())
        seen: list[int] = []
        for count in range(3):
            copy = tmp_path / f"copy{count}.db"
            code, _, err = await finished("state", "backup", str(copy), "--config", str(config))
            assert code == 0, err
            assert look_at_once(copy, violations) == []
            seen.append(len(numbers_in(copy)))
        going = False
        taken = await posting
        assert await running.stop() == 0
    assert seen == sorted(seen)
    assert seen[-1] <= len(taken)
    assert numbers_in(tmp_path / "state.db") == set(taken)
