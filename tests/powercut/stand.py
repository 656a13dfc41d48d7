"""Where the power is cut: a virtual machine with the installed service, helpdesks and an ACD outside of it."""

import asyncio
import random
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import DatabaseError

import aiohttp

from bridge.acd.simulator.server import Simulator
from bridge.ledger.state import OPEN
from tests.desks import Desks
from tests.machine.debian import PROGRAM, debian_root, wheel
from tests.machine.disk import apply_flushed, copied, make_disk, read_files
from tests.machine.guest import NETWORK, OUTSIDE, PACKAGES, Guest
from tests.machine.service import DROP_IN, NAME, STATE, install
from tests.machine.system import Tree
from tests.torture.auditor import rows_of
from tests.wait import until

STRONG = "FULL"
"""What the product has; anything else is the test's own doing."""
DESKS = 6
BOOT_SECONDS = 240.0
LOAD_SECONDS = (2.0, 8.0)
"""Between the first webhook that is answered after a boot and the cut."""
HOOKS, ADMIN = 8080, 8081

CONFIG = f"""
[acd]
url = "{{acd}}"
clients_id = 1
token = {{{{ credential = "acd-token" }}}}
settle = 2
retry_first = 0.2
retry_cap = 2
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "0.0.0.0:{HOOKS}"
admin = "0.0.0.0:{ADMIN}"
[[route]]
name = "all"
event = {{{{ type = "Ticket", group = "Support" }}}}
"""

WEAKENED = """
from bridge.cli import main
from bridge.ledger import writer

open_for_writing = writer.open_for_writing

def open_weakly(path):
    conn = open_for_writing(path)
    conn.execute("PRAGMA synchronous = {mode}")
    return conn

writer.open_for_writing = open_weakly
main()
"""


@dataclass(frozen=True)
class Remains:
    """What is left of the state file after a cut."""

    stored: frozenset[str]
    """Labels of the items in it; none where it cannot be read."""
    sound: bool
    """Whether `acd-bridge state verify` finds everything in place."""

    def lost(self, acknowledged: list[str]) -> list[str]:
        """What was answered 200 and is not there."""
        return [label for label in acknowledged if label not in self.stored]


@dataclass(frozen=True)
class Cut:
    """One power cut, seen on two disks: one that keeps what it was told to write, and one that keeps only what it was
    told to flush.
    """

    written: Remains
    flushed: Remains
    flushes: int


@dataclass
class Stand:
    """Boots and cuts one disk again and again. After a cut it goes on with what was flushed, the worse of the two."""

    folder: Path
    kernels: Path
    """The folder of the guest's kernel, and options for it."""
    options: str
    forwarded: dict[int, int]
    """The guest's ports by ports of this machine."""
    desks: Desks
    admin: str
    """The URL of the service's status."""

    @property
    def disk(self) -> Path:
        """What the disk has for certain."""
        return self.folder / "certain.img"

    def switched_on(self) -> Guest:
        """A guest that boots from a copy of the disk."""
        live = copied(self.disk, self.folder / "live.img")
        log = self.folder / "writes.log"
        return Guest.boot(self.kernels, live, log=log, forwarded=self.forwarded, options=self.options)

    async def cut(self, chance: random.Random) -> Cut:
        """Boot, let the helpdesks post for a while, and cut the power under load."""
        guest = await asyncio.to_thread(self.switched_on)
        try:
            await self.serves(guest)
            await asyncio.sleep(chance.uniform(*LOAD_SECONDS))  # the instant of the cut is what is tried out
        finally:
            guest.cut()
        return await asyncio.to_thread(self.look)

    async def serves(self, guest: Guest) -> None:
        """Wait until webhooks are answered. Raises AssertionError with the console's end where they never are."""
        before = len(self.desks.acknowledged)
        await until(
            lambda: len(self.desks.acknowledged) >= before + DESKS or not guest.runs, within=BOOT_SECONDS
        )
        assert guest.runs, guest.last_words()

    async def nothing_waits(self) -> bool:
        """Whether every item has its final state, by the status page."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.admin) as answer:
                items = (await answer.json())["items"]
        except (aiohttp.ClientError, TimeoutError):
            return False
        return not any(items.get(state) for state in OPEN)

    def look(self) -> Cut:
        """What is left, after a cut."""
        written = _remains(self.folder / "live.img", self.folder / "written")
        flushes = apply_flushed(self.folder / "writes.log", self.disk)
        flushed = _remains(copied(self.disk, self.folder / "look.img"), self.folder / "flushed")
        return Cut(written, flushed, flushes)


def _remains(disk: Path, folder: Path) -> Remains:
    read_files(disk, STATE, f"{STATE}-wal", into=folder)
    state = folder / Path(STATE).name
    try:
        stored = frozenset(row.label for row in rows_of(state))
    except DatabaseError:
        return Remains(frozenset(), sound=False)
    verify = [sys.executable, "-m", "bridge", "state", "verify", str(state)]
    return Remains(stored, sound=subprocess.run(verify, capture_output=True, check=False).returncode == 0)


def prepared_tree(folder: Path) -> Tree:
    """A Debian that boots in a virtual machine, with the bridge installed and enabled, without its configuration."""
    tree = Tree.copied(debian_root(*PACKAGES), folder / "tree")
    built = wheel(folder)
    shutil.copy(built, tree.path("/tmp"))
    install(tree, f"/tmp/{built.name}")
    tree.write("/etc/systemd/network/all.network", NETWORK)
    tree.do("systemctl", "enable", "systemd-networkd", NAME)
    # Nothing waits for the network: it is there before the service listens, and the helpdesks try again.
    tree.do("systemctl", "mask", "systemd-networkd-wait-online", "serial-getty@ttyS0", "getty@tty1")
    return tree


def make_stand(folder: Path, tree: Tree, acd: Simulator, mode: str = STRONG, options: str = "") -> Stand:
    """A new disk, on which the service opens its state file with this `PRAGMA synchronous`, and kernel options."""
    folder.mkdir()
    tree.write("/etc/acd-bridge/bridge.toml", CONFIG.format(acd=acd.url.replace("127.0.0.1", OUTSIDE)))
    weak = mode != STRONG
    tree.write(f"{PROGRAM}/weak.py", WEAKENED.format(mode=mode))
    start = f"ExecStart=\nExecStart={PROGRAM}/bin/python {PROGRAM}/weak.py run\n" if weak else ""
    tree.write(f"{DROP_IN}/mode.conf", f"[Service]\n{start}")
    hooks, admin = free_ports(2)
    desks = Desks(f"http://127.0.0.1:{hooks}/hooks/desk")
    status = f"http://127.0.0.1:{admin}/status.json"
    stand = Stand(folder, tree.path("/boot"), options, {hooks: HOOKS, admin: ADMIN}, desks, status)
    make_disk(tree.folder, stand.disk)
    return stand


def free_ports(number: int) -> list[int]:
    """Ports of the loopback that nobody has at the moment."""
    with ExitStack() as at_the_end:
        sockets = [at_the_end.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [int(one.getsockname()[1]) for one in sockets]
