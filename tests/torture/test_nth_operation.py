"""Every n-th operation fails, for n = 1, 2, 3 and so on, in each way in which it can: all ends well nevertheless.

As SQLite tests its I/O errors (sqlite.org/testing.html section 3.2). Each round plays the scenario of
`tests.torture.scenario`, and one passing of one point fails in one way (`tests.torture.faults`). The next round lets a
later passing of this point fail, until a round ends without having reached it. The application goes on by itself; or
it ends with an error, and goes on after a new start. Then the auditor must find nothing.

$ACD_BRIDGE_OPERATIONS_APART says which operations of a point fail in each way: the first, and then each so-many-th.
`make torture` lets every one fail.
"""

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bridge.errors import StateFileError
from bridge.points import Point, watching
from tests.dovecot import Dovecot, shared_dovecot
from tests.torture.faults import FAULTS, ONLY_KILLED, Failing, NthFails, Way
from tests.torture.scenario import USER, between, embedded, hurry
from tests.torture.service import Service

__all__ = ["shared_dovecot"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")

APART = int(os.environ.get("ACD_BRIDGE_OPERATIONS_APART", "20"))
CASES = [(point, way) for point in Point if point not in ONLY_KILLED for way in FAULTS[point]]
"""Every point must have its ways, or its place in ONLY_KILLED: a new one without fails here."""
MAIL_CASES = [case for case in CASES if case[0] in {Point.COMMAND_LEAVES, Point.COMMAND_ANSWERED}]
MOST_OPERATIONS = 1000
"""More than a round passes one point, so that a loop has an end."""


class Tally:
    """How many operations failed, by point and way."""

    def __init__(self) -> None:
        self.failed: Counter[tuple[Point, Way]] = Counter()

    def lines(self) -> Iterator[str]:
        for point in Point:
            ways = [
                f"{way} {self.failed[point, way]}" for way in FAULTS.get(point, ()) if self.failed[point, way]
            ]
            if ways:
                yield f"  {point}: {', '.join(ways)}"


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Is told at the end, also where output is captured."""
    counted = Tally()
    yield counted
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        terminal.write_line(f"\n{counted.failed.total()} operations failed, each in a round of its own:")
        for line in counted.lines():
            terminal.write_line(line)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


async def play(folder: Path, server: tuple[str, int], user: str, fault: Failing | None = None) -> NthFails:
    """Play one round, in which this operation fails. Raises AssertionError unless all is well in the end."""
    async with between(folder, server, user) as one:
        watcher = NthFails() if fault is None else fault.watcher(one.proxy, one.acd)
        with watching(watcher):
            findings = await one.play()
    assert not findings, f"{fault}: {findings}; {one.service}"
    assert may_end_so(one.service, fault), f"{fault}: {one.service}"
    assert not one.service.left_behind, f"{fault}: {one.service}"
    return watcher


def may_end_so(service: Service, fault: Failing | None) -> bool:
    """Defects and cancelled parts may end the application, and a state file that fails at the start; nothing else."""
    if fault is not None and fault.way in {Way.DEFECT, Way.CANCELLED}:
        return True
    return not service.ended and all(isinstance(why, StateFileError) for why in service.not_started)


async def test_the_scenario_passes_every_point(tmp_path: Path) -> None:
    """Where nothing fails all is well, and there is no point without the fault that is put to it."""
    async with embedded() as server:
        watcher = await play(tmp_path, server, USER)
    assert watcher.passed.keys() >= set(Point) - ONLY_KILLED


async def fail_one_after_the_other(
    faults: Iterable[Failing], play_one: Callable[[Failing], Awaitable[NthFails]], tally: Tally
) -> None:
    """Until a round ends that does not come so far."""
    reached = 0
    for fault in faults:
        if not (await play_one(fault)).fired:
            break
        reached += 1
        tally.failed[fault.point, fault.way] += 1
    assert reached


@pytest.mark.parametrize(("point", "way"), CASES, ids=[f"{point}-{way}" for point, way in CASES])
async def test_every_nth_operation_fails_and_all_ends_well(
    tmp_path: Path, tally: Tally, point: Point, way: Way
) -> None:
    """Nothing is lost, doubled, out of order, unaccounted for or left open, whichever operation failed."""

    async def play_one(fault: Failing) -> NthFails:
        async with embedded() as server:
            return await play(folder_of(tmp_path, fault), server, USER, fault)

    faults = (Failing(point, way, number) for number in range(1, MOST_OPERATIONS, APART))
    await fail_one_after_the_other(faults, play_one, tally)


@pytest.mark.dovecot
@pytest.mark.parametrize(("point", "way"), MAIL_CASES, ids=[f"{point}-{way}" for point, way in MAIL_CASES])
async def test_every_nth_command_to_a_real_mail_server_fails_and_all_ends_well(
    tmp_path: Path, tally: Tally, shared_dovecot: Dovecot, point: Point, way: Way
) -> None:
    """The same between the bridge and a Dovecot, whose answers are others than those of the embedded server."""
    server = (shared_dovecot.host, shared_dovecot.port)

    async def play_one(fault: Failing) -> NthFails:
        return await play(folder_of(tmp_path, fault), server, f"torture-{fault}", fault)

    faults = (Failing(point, way, number) for number in range(1, MOST_OPERATIONS, APART))
    await fail_one_after_the_other(faults, play_one, tally)


def folder_of(parent: Path, fault: Failing) -> Path:
    folder = parent / str(fault.number)
    folder.mkdir()
    return folder
