"""A Debian that systemd boots in a container: a real service manager, journal and sandbox, on this machine's kernel.

It shares this machine's network, so that a test reaches a listener in it, and it the test's ACD, over loopback.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.machine.debian import CLEAN, CannotBeMadeError
from tests.machine.system import CALL_SECONDS, System

BOOT_SECONDS = 30.0
POLL_SECONDS = 0.5
HALT_SECONDS = 20.0


class Container(System):
    """A booted container. Whatever is written in it is gone when it is closed."""

    def __init__(self, process: "subprocess.Popen[bytes]", leader: int) -> None:
        self._process = process
        self._leader = leader
        """Its process 1, as this machine counts."""

    @classmethod
    def boot(cls, root: Path, *, bound: Mapping[Path, str]) -> Self:
        """Boot it, with some folders of this machine to be read at other places. Raises CannotBeMadeError."""
        if shutil.which("systemd-nspawn") is None:
            raise CannotBeMadeError("systemd-nspawn is not installed (Debian package systemd-container)")
        with TemporaryDirectory() as folder, (Path(folder) / "console").open("w+b") as console:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.bind(f"{folder}/notify")
                process = subprocess.Popen(
                    _nspawn(root, bound),
                    env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": f"{folder}/notify"},
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                )  # fmt: skip
                leader = _leader_when_ready(process, notify)
            if leader is None:
                _end(process)
                console.seek(0)
                said = console.read().decode(errors="replace").strip().splitlines()
                raise CannotBeMadeError(f"systemd did not boot in a container: {' | '.join(said[-5:])}")
        return cls(process, leader)

    def call(self, *command: str, within: float = CALL_SECONDS) -> "subprocess.CompletedProcess[str]":
        """Run a command in it as root."""
        return subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", *command],
            env=CLEAN, timeout=within, check=False, capture_output=True, text=True, errors="replace",
        )  # fmt: skip

    def do(self, *command: str, within: float = CALL_SECONDS) -> str:
        """Run a command in it as root, which must succeed, and return what it wrote on stdout."""
        done = self.call(*command, within=within)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def path(self, inside: str) -> Path:
        """Where a file of it is found from outside."""
        return Path(f"/proc/{self._leader}/root") / inside.removeprefix("/")

    def close(self) -> None:
        """Halt it."""
        _end(self._process)


def _nspawn(root: Path, bound: Mapping[Path, str]) -> list[str]:
    fixed = (
        "--quiet", "--boot", "--volatile=overlay", "--notify-ready=yes", "--console=pipe",
        # What would need a service manager outside.
        "--register=no", "--keep-unit", "--link-journal=no",
    )  # fmt: skip
    binds = [f"--bind-ro={outside}:{inside}" for outside, inside in bound.items()]
    return ["systemd-nspawn", *fixed, f"--directory={root}", *binds]


def _leader_when_ready(process: "subprocess.Popen[bytes]", notify: socket.socket) -> int | None:
    """What systemd-nspawn(1) tells with --notify-ready=yes; None where it ends, or does not tell in time."""
    notify.settimeout(POLL_SECONDS)
    deadline, leader = time.monotonic() + BOOT_SECONDS, None
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(TimeoutError):
            told = dict(line.partition("=")[::2] for line in notify.recv(4096).decode().splitlines())
            leader = told.get("X_NSPAWN_LEADER_PID", leader)
            if "READY" in told and leader is not None:
                return int(leader)
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """systemd-nspawn halts its container at SIGTERM, and drops it at a second one."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
