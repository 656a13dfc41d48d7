"""The shipped unit under a real systemd, when it ends: asked, killed, stuck, restarted, or never fit to run."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.cli.common import EXIT_CONFIG, EXIT_STATE
from tests.desks import done_by
from tests.integration.systemd.conftest import MakeStage
from tests.machine.service import STATE, Service
from tests.torture.auditor import audit, broken_invariants, rows_of
from tests.wait import until

pytestmark = pytest.mark.systemd

SOON = {"RestartSec": "100ms"}
"""The unit's two seconds are for people; here only the waiting would be longer."""
TIMES = 2
DESKS = 4


async def test_a_stop_lets_what_is_under_way_end(tmp_path: Path, make_stage: MakeStage) -> None:
    """`systemctl stop` returns when the ACD's answer that was awaited is written down, and the exit code is 0.
    Meanwhile the status says that it drains.
    """
    stage = await make_stage()
    late = Fault(kind=Kind.LATENCY, when=Stage.AFTER_DOING, seconds=2.5, path="/acd/events/create")
    stage.acd.faults.add(late)
    await stage.service.started()
    desks = stage.desks
    async with desks.working(1):
        await desks.went_on()
    await until(lambda: len(stage.acd.events) > 0)
    stop = asyncio.create_task(stage.service.systemctl("stop"))
    await stage.service.becomes("StatusText", "draining")
    assert await stop == 0
    assert [await stage.service.shows(name) for name in ("Result", "ExecMainStatus")] == ["success", "0"]
    states = {row.state for row in rows_of(await stage.service.copied_state(tmp_path))}
    assert {"created"} <= states <= {"created", "pending"}


async def test_a_bad_configuration_is_told_once(make_stage: MakeStage) -> None:
    """It ends with 78, is not started again, and the journal has every problem among the errors."""
    stage = await make_stage(**SOON)
    container = stage.service.container
    good = container.path("/etc/acd-bridge/bridge.toml").read_text()
    container.write(
        "/etc/acd-bridge/bridge.toml", good.replace("http://", "ftp://").replace("[[route]]", "[[rout]]")
    )
    assert await stage.service.systemctl("start") != 0
    names = ("ActiveState", "SubState", "NRestarts", "ExecMainStatus")
    assert [await stage.service.shows(name) for name in names] == ["failed", "failed", "0", str(EXIT_CONFIG)]
    told = "\n".join(entry["MESSAGE"] for entry in await stage.service.journal("--priority=err"))
    assert "acd.url" in told
    assert "rout" in told
    container.write("/etc/acd-bridge/bridge.toml", good)
    await stage.service.started()


async def test_a_state_file_that_cannot_be_read_is_tried_again(make_stage: MakeStage) -> None:
    """It ends with 74, and systemd starts it until the file is mended."""
    stage = await make_stage(**SOON)
    await stage.service.started()
    assert await stage.service.systemctl("stop") == 0
    state = stage.service.container.path(STATE)
    sound = state.read_bytes()
    state.write_bytes(b"no database " * 1000)
    assert await stage.service.systemctl("start") != 0
    assert await stage.service.shows("ExecMainStatus") == str(EXIT_STATE)
    state.write_bytes(sound)
    await stage.service.becomes("ActiveState", "active")
    assert int(await stage.service.shows("NRestarts")) > 0


Disturbance = Callable[[Service], Awaitable[object]]


async def restarted(service: Service) -> None:
    assert await service.systemctl("restart") == 0


async def killed(service: Service) -> None:
    await comes_back_after(service, "SIGKILL")
    log = await service.journal()
    assert int(signal.SIGKILL) in {
        int(entry.get("EXIT_STATUS", 0)) for entry in log if entry.get("EXIT_CODE") == "killed"
    }


async def stuck(service: Service) -> None:
    """A stopped process cannot tell its watchdog anything; systemd wakes it with the signal that ends it."""
    await comes_back_after(service, "SIGSTOP")
    told = "\n".join(entry["MESSAGE"] for entry in await service.journal("--priority=warning"))
    assert "Failed with result 'watchdog'." in told
    assert "Fatal Python error: Aborted" in told
    assert "bridge/ledger/writer.py" in told


async def comes_back_after(service: Service, name: str) -> None:
    before, times = await service.shows("MainPID"), int(await service.shows("NRestarts"))
    await service.signal(name)

    async def started_again() -> bool:
        return int(await service.shows("NRestarts")) > times

    await until(started_again, within=15)
    await service.becomes("ActiveState", "active")
    assert await service.shows("MainPID") != before


@pytest.mark.parametrize(
    ("disturb", "settings"),
    [(restarted, {}), (killed, SOON), (stuck, SOON | {"WatchdogSec": "2s"})],
)
async def test_nothing_is_lost_by_any_end(
    tmp_path: Path, make_stage: MakeStage, disturb: Disturbance, settings: dict[str, str]
) -> None:
    """While helpdesks post and try again, it is restarted, killed, or hangs; it comes back by itself, and each webhook
    that was answered 200 is one event, in order, with one item in a sound state file.
    """
    stage = await make_stage(**settings)
    stage.acd.faults.add(Fault(kind=Kind.LATENCY, when=Stage.AFTER_DOING, seconds=0.05, probability=0.5))
    await stage.service.started()
    desks = stage.desks
    async with desks.working(DESKS):
        for _ in range(TIMES):
            await desks.went_on(by=DESKS)
            await disturb(stage.service)
    await until(stage.service.nothing_waits, within=30)
    assert await stage.service.systemctl("stop") == 0
    state = await stage.service.copied_state(tmp_path)
    assert not audit(desks.acknowledged, done_by(stage.acd), rows_of(state), broken_invariants(state))
    assert "everything fits together" in stage.service.container.call("acd-bridge", "state", "verify").stderr
