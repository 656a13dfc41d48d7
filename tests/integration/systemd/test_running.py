"""The shipped unit under a real systemd, while it runs: ready, identified, shut in, and readable in the journal."""

import json
import socket
import stat

import pytest

from bridge.acd.simulator.faults import Fault, Kind
from tests.integration.systemd.conftest import MakeStage
from tests.machine.service import NAME, STATE, UNIT, Service
from tests.wait import until

pytestmark = pytest.mark.systemd

DYNAMIC_USERS = range(61184, 65520)
"""systemd.exec(5), DynamicUser=."""
PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3"}


async def test_it_counts_as_started_when_it_takes_webhooks_in(make_stage: MakeStage) -> None:
    """`systemctl start` returns when the listener is there, and `systemctl status` then shows the line of status."""
    stage = await make_stage()
    await stage.service.started()
    desks = stage.desks
    async with desks.working(1):
        await desks.went_on()
    await until(lambda: len(stage.acd.events) == len(desks.acknowledged))
    assert await stage.service.shows("Type") == "notify"
    await stage.service.becomes("StatusText", "0 waiting")


async def test_what_cannot_listen_is_not_started(make_stage: MakeStage) -> None:
    """With its port taken it is never ready; systemd tries again, and it runs once the port is free."""
    stage = await make_stage(RestartSec="100ms")
    with socket.create_server(("127.0.0.1", stage.port)):
        assert await stage.service.systemctl("start") != 0
        await stage.service.becomes("SubState", "auto-restart")
    await stage.service.becomes("ActiveState", "active")


async def test_it_runs_as_nobody_in_particular(make_stage: MakeStage) -> None:
    """A user of its own that exists while it runs, no capability, no way to rights, and a filter of system calls."""
    stage = await make_stage()
    await stage.service.started()
    pid = await stage.service.shows("MainPID")
    lines = (stage.service.process(pid) / "status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert {int(uid) in DYNAMIC_USERS for uid in status["Uid"] + status["Gid"]} == {True}
    assert {int(status[name][0], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == (["1"], ["2"], ["0077"])


async def test_its_files_are_its_own(make_stage: MakeStage) -> None:
    """The folder of the state file is made for it, and neither others nor its group can read what is in it."""
    stage = await make_stage()
    await stage.service.started()
    container, uid = stage.service.container, int(await stage.service.shows("UID"))
    folder = container.path(STATE).parent
    files = {file.name: file.stat() for file in (folder, *folder.iterdir())}
    assert {"state.db", "state.db-wal", "state.db-lock"} < set(files)
    modes = {stat.S_IMODE(found.st_mode) for name, found in files.items() if name != folder.name}
    assert (stat.S_IMODE(files[folder.name].st_mode), modes) == (0o700, {0o600})
    assert {found.st_uid for found in files.values()} == {uid}


async def test_a_secret_is_a_credential_and_nothing_else(make_stage: MakeStage) -> None:
    """The token gets to the ACD; it is in a file that only the service can read, not on its command line, in its
    environment or in its log, and root's file stays closed to it.
    """
    stage = await make_stage()
    service, container = stage.service, stage.service.container
    await service.started()
    desks = stage.desks
    async with desks.working(1):
        await desks.went_on()
    await until(lambda: len(stage.acd.events) > 0)
    credential = container.path(f"/run/credentials/{NAME}.service/acd-token")
    assert credential.read_text().strip() == stage.acd.settings.token
    assert stat.S_IMODE(credential.stat().st_mode) == 0o400
    assert credential.stat().st_uid == int(await service.shows("UID"))
    process = service.process(await service.shows("MainPID"))
    shown = [(process / name).read_bytes() for name in ("cmdline", "environ")]
    told = " ".join(entry["MESSAGE"] for entry in await service.journal()).encode()
    assert not [text for text in (*shown, told) if stage.acd.settings.token.encode() in text]


TRY_EVERYTHING = """
import asyncio, ctypes, importlib, json, mmap, os, pkgutil, shutil, socket, sqlite3, subprocess
import bridge, uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

for module in pkgutil.walk_packages(bridge.__path__, "bridge."):
    if not module.name.startswith(("bridge.demo", "bridge.testing", "bridge.__main__")):
        importlib.import_module(module.name)
key = Ed25519PrivateKey.generate()
key.public_key().verify(key.sign(b"x"), b"x")
uvloop.run(asyncio.sleep(0))
STATE = os.environ["STATE_DIRECTORY"]
conn = sqlite3.connect(STATE + "/try.db")
assert conn.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
conn.execute("CREATE TABLE IF NOT EXISTS t (x)")

def run_a_copy(folder):
    copy = folder + "/true"
    shutil.copy("/usr/bin/true", copy)
    try:
        subprocess.run([copy], check=True)
    finally:
        os.remove(copy)

def write_below(folder):
    if not os.statvfs(folder).f_flag & os.ST_RDONLY:
        return
    raise OSError

def mount():
    if ctypes.CDLL(None, use_errno=True).mount(b"none", STATE.encode(), b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")

FORBIDDEN = {
    "read root's secrets": lambda: open("/etc/acd-bridge/secrets/acd-token"),
    "read other processes": lambda: os.stat("/proc/1/status"),
    "read the kernel's settings": lambda: os.stat("/proc/sys/kernel"),
    "map memory to write and run": lambda: mmap.mmap(-1, 4096, prot=7),
    "mount": mount,
    "open a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "become root": lambda: os.setuid(0),
}
for folder in (STATE, "/tmp", "/var/tmp", "/dev/shm"):
    FORBIDDEN["run what it wrote to " + folder] = lambda folder=folder: run_a_copy(folder)
for folder in ("/", "/usr", "/opt/acd-bridge", "/etc", "/etc/acd-bridge", "/var", "/srv"):
    FORBIDDEN["write to the mount of " + folder] = lambda folder=folder: write_below(folder)

def is_open(attempt):
    try:
        attempt()
    except (OSError, subprocess.SubprocessError):
        return False
    return True

print(json.dumps({name: is_open(attempt) for name, attempt in FORBIDDEN.items()}))
"""


def with_trial_for_service(unit: str) -> str:
    """A unit that runs this program, once, in place of the bridge."""
    for right, trial in (
        ("Type=notify", "Type=oneshot"),
        ("Restart=always", "Restart=no"),
        ("/acd-bridge run", "/python /etc/acd-bridge/try.py"),
    ):
        assert right in unit
        unit = unit.replace(right, trial)
    return unit


async def doors(service: Service, name: str, unit: str) -> dict[str, bool]:
    """What the trial tried under this unit that it should not, and whether it could. It must end well itself."""
    container = service.container
    container.write("/etc/acd-bridge/try.py", TRY_EVERYTHING)
    container.write(f"/etc/systemd/system/{name}.service", with_trial_for_service(unit))
    await service.systemctl("daemon-reload")
    ended = container.call("systemctl", "start", name).returncode
    container.do("journalctl", "--sync")
    said = container.do("journalctl", f"--unit={name}", "--output=cat")
    assert ended == 0, said
    (result,) = [line for line in said.splitlines() if line.startswith("{")]
    return dict(json.loads(result))


async def test_the_sandbox_is_shut(make_stage: MakeStage) -> None:
    """Every module loads, with its compiled libraries; signatures, the event loop and SQLite work. What a bridge that
    was taken over would try next does not; with the sandbox taken away, the same program can do all of it.
    """
    service, tight = (await make_stage()).service, UNIT.read_text()
    loose = tight.partition("# What the process may do")[0].replace("DynamicUser=yes\nUser=acd-bridge\n", "")
    loose = loose.replace("StateDirectory=acd-bridge", "StateDirectory=acd-loose")
    loose = loose.replace("/var/lib/acd-bridge", "/var/lib/acd-loose")
    assert set((await doors(service, "tight", tight)).values()) == {False}
    assert set((await doors(service, "loose", loose)).values()) == {True}


async def test_the_journal_knows_what_is_serious(make_stage: MakeStage) -> None:
    """Each line has the priority of its level, so that `journalctl -p err` shows the errors, and only them."""
    stage = await make_stage()
    stage.acd.faults.add(Fault(kind=Kind.STATUS, status=401))
    await stage.service.started()
    await stage.service.signal("SIGUSR1")
    desks = stage.desks
    async with desks.working(1):
        await desks.went_on()

    async def all_levels() -> bool:
        return {"info", "warning", "error"} <= {line["level"] for line in await stage.service.log()}

    await until(all_levels)
    log = await stage.service.log()
    assert {(line["level"], line["priority"]) for line in log} <= set(PRIORITIES.items())
    serious = await stage.service.log("--priority=err")
    assert serious == [line for line in log if line["level"] == "error"]
    assert "task-dump" in {line["event"] for line in log}
