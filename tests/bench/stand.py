"""What the benchmarks of the whole way share: a Dovecot, a simulated ACD and the bridge, each a process."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.dovecot import Dovecot

TOKEN = "bench"
PYTHON = sys.executable


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    with tempfile.TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as folder:
        server = Dovecot(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def simulated_acd() -> Iterator[str]:
    """The URL of a simulated ACD in a process of its own."""
    command = [PYTHON, "-m", "bridge", "simulator", "--listen", "127.0.0.1:0", "--token", TOKEN]
    process = subprocess.Popen([*command, "--clients-id", "1"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        match = re.search(r"url (\S+)", process.stdout.readline())
        assert match is not None
        yield match[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def write_config(
    folder: Path, *, imap_port: int, acd_url: str, start: str = "all", user: str = "bridge"
) -> Path:
    path = folder / "bridge.toml"
    path.write_text(
        f"""
[acd]
url = "{acd_url}"
clients_id = 1
token = "{TOKEN}"
[state]
path = "{folder / "state.db"}"
[[mailbox]]
name = "inbox"
host = "127.0.0.1"
port = {imap_port}
security = "none"
username = "{user}"
password = "secret"
start = "{start}"
[[route]]
name = "automatic mail"
when = "auto"
drop = true
[[route]]
name = "everything else"
event = {{ type = "Email", group = "Support" }}
"""
    )
    return path


@dataclass(frozen=True, slots=True)
class Finished:
    """One round: seconds until the first and until the last event, both since the process was started."""

    first: float
    last: float
    peak_mib: float


def start(*command: str, log: Path) -> subprocess.Popen[bytes]:
    # An installed program is compiled, also where whoever works on it has turned that off.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        return subprocess.Popen([PYTHON, *command], stdout=output, stderr=output, env=env)


def peak_mib(process: subprocess.Popen[bytes]) -> float:
    """The peak of resident memory so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) / 1024


def ask(url: str, method: str = "GET", document: Any = None) -> Any:
    data = None if document is None else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=60) as answer:
        return json.load(answer)


def events(acd_url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(f"{acd_url}/_sim/events")["events"]
    return found


def received(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["received"]).timestamp()


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
