"""The bridge's unit in a container, installed as docs/operations.md says and commanded as an operator commands it."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from bridge.ledger.state import OPEN
from tests.machine.container import Container
from tests.machine.debian import PROGRAM, PROJECT
from tests.machine.system import System
from tests.wait import until

UNIT = PROJECT / "systemd" / "acd-bridge.service"
NAME = "acd-bridge"
DROP_IN = f"/etc/systemd/system/{NAME}.service.d"
SECRETS = "/etc/acd-bridge/secrets"
STATE = f"/var/lib/private/{NAME}/state.db"
"""Where the state file really is: systemd.exec(5), DynamicUser= with StateDirectory=."""
UNDER_WAY = frozenset({"activating", "deactivating", "reloading"})


def install(system: System, wheel: str) -> None:
    """Everything but the configuration."""
    pip = (f"{PROGRAM}/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    system.do(*pip, wheel)
    system.do("ln", "-s", f"{PROGRAM}/bin/acd-bridge", "/usr/local/bin/")
    system.write(f"{SECRETS}/acd-token", "simulator\n", mode=0o600)
    system.path(SECRETS).chmod(0o700)
    system.write(f"/etc/systemd/system/{UNIT.name}", UNIT.read_text())
    system.write(f"{DROP_IN}/secrets.conf", f"[Service]\nLoadCredential=acd-token:{SECRETS}/acd-token\n")


class Service:
    """The unit, by systemd's own words."""

    def __init__(self, container: Container, begun: int) -> None:
        self.container = container
        self._begun = begun
        """The time of the journal's last line before it."""

    @classmethod
    async def configured(cls, container: Container, config: str, settings: Mapping[str, str]) -> Self:
        """A service that was not started yet, with these lines of a drop-in beside the unit's own."""
        container.write("/etc/acd-bridge/bridge.toml", config)
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        container.write(f"{DROP_IN}/test.conf", f"[Service]\n{lines}")
        last = container.do("journalctl", "--lines=1", "--output=json")
        service = cls(container, int(json.loads(last)["__MONOTONIC_TIMESTAMP"]))
        assert await service.systemctl("daemon-reload") == 0
        return service

    async def systemctl(self, verb: str, *more: str) -> int:
        """The exit code of `systemctl VERB`, once it has ended; verbs that name a unit name this one."""
        unit = () if verb == "daemon-reload" else (NAME,)
        done = await asyncio.to_thread(self.container.call, "systemctl", verb, *more, *unit)
        return done.returncode

    async def shows(self, name: str) -> str:
        """A property of the unit: `systemctl show`."""
        show = ("systemctl", "show", f"--property={name}", "--value", NAME)
        return (await asyncio.to_thread(self.container.do, *show)).strip()

    async def becomes(self, name: str, value: str, within: float = 15.0) -> None:
        """Wait until a property of the unit has a value."""

        async def has_it() -> bool:
            return await self.shows(name) == value

        await until(has_it, within=within)

    async def started(self) -> None:
        """Start it; `systemctl start` returns once it has said that it is ready."""
        assert await self.systemctl("start") == 0, [entry["MESSAGE"] for entry in await self.journal()]
        assert await self.shows("ActiveState") == "active"

    async def signal(self, name: str) -> None:
        """Send its main process a signal."""
        assert await self.systemctl("kill", f"--signal={name}", "--kill-who=main") == 0

    def process(self, pid: str) -> Path:
        """What the kernel tells of one of the container's processes."""
        return self.container.path(f"/proc/{pid}")

    async def journal(self, *options: str) -> list[dict[str, Any]]:
        """What it and systemd about it have written since this test began."""
        await asyncio.to_thread(self.container.do, "journalctl", "--sync")
        read = ("journalctl", f"--unit={NAME}", "--output=json", *options)
        entries = map(json.loads, (await asyncio.to_thread(self.container.do, *read)).splitlines())
        return [entry for entry in entries if int(entry["__MONOTONIC_TIMESTAMP"]) > self._begun]

    async def log(self, *options: str) -> list[dict[str, Any]]:
        """The bridge's own lines of it, each as what it wrote and the priority under which the journal keeps it."""
        entries = [entry for entry in await self.journal(*options) if entry["MESSAGE"].startswith("{")]
        return [json.loads(entry["MESSAGE"]) | {"priority": entry["PRIORITY"]} for entry in entries]

    async def nothing_waits(self) -> bool:
        """Whether every item has its final state; asked beside the running service, as an operator asks."""
        status = await asyncio.to_thread(self.container.do, "acd-bridge", "status", "--json")
        return not any(json.loads(status)["items"].get(state) for state in OPEN)

    async def copied_state(self, target: Path) -> Path:
        """A copy of the state file, made as docs/operations.md says, beside the service that may be running."""
        copy = ("acd-bridge", "state", "backup", "--force", "/tmp/copy.db")
        await asyncio.to_thread(self.container.do, *copy)
        return Path(shutil.copy(self.container.path("/tmp/copy.db"), target))

    async def removed(self) -> None:
        """Stop it, and take away what it has stored and what systemd has counted."""
        await self.systemctl("stop")
        await self.systemctl("reset-failed")
        assert await self.systemctl("clean", "--what=state") == 0
