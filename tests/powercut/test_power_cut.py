"""The power is cut while webhooks are taken in: what was answered 200 is in the state file at the next boot.

A virtual machine's emulator is killed, so that everything its kernel had not written yet is gone; `kill -9` of the
service alone cannot show that, since the kernel writes on. `make powercut` runs it; $ACD_BRIDGE_POWER_CUTS says how
often.
"""

import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.acd.simulator.server import Simulator
from tests.desks import done_by
from tests.machine.service import STATE
from tests.machine.system import Tree
from tests.powercut.stand import DESKS, Cut, Stand, make_stand, prepared_tree
from tests.torture.auditor import audit, broken_invariants, rows_of
from tests.wait import until
from tests.whole import simulator

CUTS = int(os.environ.get("ACD_BRIDGE_POWER_CUTS", "0"))
SETTLE_SECONDS = 120.0

pytestmark = pytest.mark.skipif(CUTS == 0, reason="minutes of virtual machines; `make powercut` runs it")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """What the disks are made of."""
    made = prepared_tree(tmp_path_factory.mktemp("machine"))
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the disks are, which are too large to be kept; what was read of them stays."""
    yield tmp_path
    for large in (*tmp_path.rglob("*.img"), *tmp_path.rglob("*.log")):
        large.unlink()


@pytest.fixture
async def acd() -> AsyncIterator[Simulator]:
    """An ACD outside, which no power cut reaches."""
    async with simulator() as running:
        yield running


def told(setting: str, cut: Cut, acknowledged: list[str], seconds: float) -> None:
    """A line for who runs it."""
    written, flushed = len(cut.written.lost(acknowledged)), len(cut.flushed.lost(acknowledged))
    sys.stdout.write(
        f"{setting}: {len(acknowledged)} acknowledged, {written} lost; where the disk loses its cache too: "
        f"{flushed} lost ({cut.flushes} flushes, {seconds:.0f} s)\n"
    )


async def cut(stand: Stand, setting: str, chance: random.Random) -> Cut:
    began = time.monotonic()
    done = await stand.cut(chance)
    told(setting, done, stand.desks.acknowledged, time.monotonic() - began)
    return done


async def test_a_power_cut_loses_nothing(folder: Path, tree: Tree, acd: Simulator) -> None:
    """After each of several cuts all that was answered 200 is in a sound state file, whether the disk kept its cache or
    not; and in the end each is one event of the ACD, none is doubled, and the order holds.
    """
    stand, chance = make_stand(folder / "stand", tree, acd), random.Random(CUTS)
    with ExitStack() as at_the_end:
        async with stand.desks.working(DESKS):
            for _ in range(CUTS):
                remains = await cut(stand, "synchronous=FULL", chance)
                for kept in (remains.written, remains.flushed):
                    assert (kept.lost(stand.desks.acknowledged), kept.sound) == ([], True)
            guest = stand.switched_on()
            at_the_end.callback(guest.cut)
            await stand.serves(guest)
        await until(stand.nothing_waits, within=SETTLE_SECONDS)
    stand.look()
    state = stand.folder / "flushed" / Path(STATE).name
    assert not audit(stand.desks.acknowledged, done_by(acd), rows_of(state), broken_invariants(state))


@pytest.mark.parametrize("mode", ["NORMAL", "OFF"])
async def test_a_weaker_setting_would_be_noticed(folder: Path, tree: Tree, acd: Simulator, mode: str) -> None:
    """With the state file opened to be faster and less safe, one of several cuts does lose what was answered 200."""
    for number in range(max(CUTS, 3)):
        stand = make_stand(folder / f"stand{number}", tree, acd, mode)
        async with stand.desks.working(DESKS, patient=False):
            remains = await cut(stand, f"synchronous={mode}", random.Random(number))
        if remains.written.lost(stand.desks.acknowledged):
            return
    pytest.fail("nothing was ever lost, so this test could not find what it is there for")


async def test_a_disk_that_is_not_told_to_flush_would_be_noticed(
    folder: Path, tree: Tree, acd: Simulator
) -> None:
    """Where the file system passes no fsync on to the disk, what was answered 200 is written, yet not for certain."""
    stand = make_stand(folder / "stand", tree, acd, options="rootflags=barrier=0")
    async with stand.desks.working(DESKS, patient=False):
        remains = await cut(stand, "synchronous=FULL, ext4 without barriers", random.Random(CUTS))
    acknowledged = stand.desks.acknowledged
    assert remains.written.lost(acknowledged) == []
    assert remains.flushed.lost(acknowledged) != []
