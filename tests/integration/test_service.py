"""The service as systemd runs it: a process of its own, with a notify socket, signals and exit codes."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bridge.acd.simulator.server import Simulator
from bridge.ledger import queries
from bridge.ledger.visit import look
from tests.wait import until

CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = "simulator"
[state]
path = "{folder}/state.db"
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:{port}"
[[route]]
name = "all"
event = {{ type = "Ticket", group = "Billing" }}
"""


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end of the notify socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def command(*arguments: str, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", *arguments,
        env=os.environ | environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finished(*arguments: str) -> tuple[int, str, str]:
    async with command(*arguments) as process, asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def received(receiver: socket.socket, into: list[str]) -> Sequence[str]:
    try:
        while True:
            into += receiver.recv(4096).decode().split("\n")
    except BlockingIOError:
        return into


async def test_the_service_says_when_it_is_ready_and_drains_on_sigterm(
    tmp_path: Path, acd: Simulator, notify: socket.socket
) -> None:
    """READY after the listener is there, STOPPING at the signal, exit code 0, and no secret or text in the log."""
    port, told = free_port(), list[str]()
    config = tmp_path / "bridge.toml"
    config.write_text(CONFIG.format(acd=acd.url, folder=tmp_path, port=port))
    async with command("run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
        await until(lambda: "READY=1" in received(notify, told), within=20)
        body = {
            "type": "ticket.created",
            "data": {"number": "7", "subject": "confidential words", "requestor_email": "a@b.c"},
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{port}/hooks/desk", json=body, headers={"webhook-id": "m"}
            ) as answer,
        ):
            assert answer.status == 200
        await until(lambda: len(acd.events) == 1)
        await until(lambda: look(tmp_path / "state.db", queries.totals)["created"] == 1)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            _, log = await process.communicate()
        assert process.returncode == 0
    assert "STOPPING=1" in received(notify, told)
    lines = [json.loads(line) for line in log.decode().splitlines()]
    assert {"started", "event-created", "stopped"} <= {line["event"] for line in lines}
    assert "confidential" not in log.decode()
    assert "simulator" not in log.decode()


async def test_a_bad_configuration_ends_with_78_and_every_problem(tmp_path: Path) -> None:
    """systemd does not restart on 78; the operator sees all that is wrong at once."""
    config = tmp_path / "bridge.toml"
    config.write_text(
        CONFIG.format(acd="ftp://x", folder=tmp_path, port=1).replace("clients_id", "clients_ids")
    )
    for words in (["run"], ["check"]):
        code, _, err = await finished(*words, "--config", str(config))
        assert code == 78
        assert "acd.url" in err
        assert "clients_ids" in err


@pytest.mark.parametrize(("listener", "what"), [("webhooks", "webhooks"), ("admin", "the admin pages")])
async def test_a_port_that_is_taken_ends_with_1_and_its_key(
    tmp_path: Path, acd: Simulator, listener: str, what: str
) -> None:
    """The last words say which address cannot be had, and in which key it stands; there is no traceback."""
    config = tmp_path / "bridge.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"webhooks": free_port(), "admin": free_port(), listener: taken.getsockname()[1]}
        text = CONFIG.format(acd=acd.url, folder=tmp_path, port=ports["webhooks"])
        config.write_text(text.replace("[[route]]", f'admin = "127.0.0.1:{ports["admin"]}"\n[[route]]'))
        code, _, err = await finished("run", "--config", str(config))
    assert code == 1
    assert f"error: cannot listen for {what} on 127.0.0.1:" in err
    assert err.rstrip().splitlines()[-1].startswith(f"hint: is another program using listen.{listener}")
    assert "Traceback" not in err


async def test_a_state_file_of_a_newer_version_ends_with_74(tmp_path: Path, acd: Simulator) -> None:
    """An older program refuses it in one line and leaves it as it is."""
    from bridge.ledger.file import open_for_writing  # noqa: PLC0415 - beside its only use

    conn = open_for_writing(tmp_path / "state.db")
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    config = tmp_path / "bridge.toml"
    config.write_text(CONFIG.format(acd=acd.url, folder=tmp_path, port=free_port()))
    code, _, err = await finished("run", "--config", str(config))
    assert code == 74
    assert "newer version" in err


async def test_commands_read_and_change_the_state_file_while_the_service_runs(
    tmp_path: Path, acd: Simulator, notify: socket.socket
) -> None:
    """`status`, `items` and `duplicates` answer beside a running service, and a retry by hand is posted by it."""
    port, told = free_port(), list[str]()
    config = tmp_path / "bridge.toml"
    config.write_text(
        CONFIG.format(acd=acd.url, folder=tmp_path, port=port).replace('"Billing"', '"{{ group }}"')
    )
    async with command("run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")):
        await until(lambda: "READY=1" in received(notify, told), within=20)
        async with aiohttp.ClientSession() as session:
            for number, group in enumerate(("Billing", "Nowhere", "Billing")):
                data = {"number": str(number % 2), "subject": "s", "requestor_email": "a@b.c", "group": group}
                headers = {"webhook-id": str(number)}
                url = f"http://127.0.0.1:{port}/hooks/desk"
                async with session.post(url, json={"data": data}, headers=headers) as answer:
                    assert answer.status == 200
        path = tmp_path / "state.db"
        await until(lambda: look(path, queries.totals)["dead"] + look(path, queries.totals)["updated"] == 2)

        code, out, _ = await finished("status", "--config", str(config), "--json")
        assert (code, json.loads(out)["items"]["dead"]) == (0, 1)
        _, out, _ = await finished("items", "list", "--config", str(config), "--state", "dead", "--json")
        letter = json.loads(out)
        assert letter["reason"] == "unknown-name"
        _, out, _ = await finished("items", "show", letter["key"][:8], "--config", str(config), "--json")
        assert json.loads(out)["attempts"][0]["reason"] == "unknown-name"
        _, out, _ = await finished("duplicates", "--config", str(config), "--csv")
        assert out.splitlines()[0].startswith("at,acd_event_id,key")
        assert len(out.splitlines()) == 2

        code, _, err = await finished("items", "retry", "--config", str(config), "--state", "dead")
        assert (code, "--yes" in err) == (64, True)
        code, _, _ = await finished("items", "retry", letter["key"], "--config", str(config), "--yes")
        assert code == 0
        await until(lambda: _attempts(path, letter["key"]) == 2, within=10)
        drop = ["items", "drop", letter["key"], "--why", "no such group", "--yes", "--config", str(config)]
        await until(lambda: look(path, queries.totals)["dead"] == 1)
        assert (await finished(*drop))[0] == 0
        assert look(path, queries.totals)["filtered"] == 1


def _attempts(path: Path, key: str) -> int:
    item = look(path, lambda conn: queries.item(conn, key))
    return len(look(path, lambda conn: queries.attempts(conn, item.id)))
