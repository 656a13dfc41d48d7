"""kill -9 of the real service at every named point and at random instants: nothing lost, doubled or out of order.

$ACD_BRIDGE_KILLS says how many kills; `make torture` has more than the plain test run. There are 300 at the least,
so that every point has its turn.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from bridge.points import Point
from tests.dovecot import running
from tests.token_server import token_server
from tests.torture.auditor import Findings
from tests.torture.kill import breaches
from tests.torture.kill.fate import MAIL, Fate, fates
from tests.torture.kill.ordeal import Ordeal, Outcome
from tests.torture.kill.victim import Breach
from tests.torture.kill.world import MailHost, world

KILLS = max(300, int(os.environ.get("ACD_BRIDGE_KILLS", "0")))
KILLS_AN_ORDEAL = 50
PLAIN_KILLS = 5
"""Of each test, of services that were started from the command line, with nothing of the tests in them."""
AT_ONCE = 2
"""Ordeals; each keeps about one core busy."""
WITHOUT_MAIL = frozenset(Point) - MAIL
WITHOUT_MAIL_KILLS = KILLS // 6

Tell = Callable[[Sequence[Outcome]], None]


@pytest.fixture(scope="module", autouse=True)
def _unmeasured() -> Iterator[None]:
    """Coverage writes nothing down where a process is killed; it would only slow the lives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture
async def host() -> AsyncIterator[MailHost]:
    async with token_server() as tokens:
        tokens.rotates = True
        with running(tokens.url.replace("/token", "/introspect")) as dovecot:
            yield MailHost(dovecot, tokens)


async def ordeal(
    folder: Path, seed: int, ends: Sequence[Fate], host: MailHost | None = None, breach: Breach | None = None
) -> Outcome:
    async with world(folder / str(seed), seed, host) as made:
        try:
            return await Ordeal(made, breach).run(ends)
        except BaseException as error:
            error.add_note(f"seed {seed}, see {made.folder}")
            raise


def shares(kills: int) -> list[int]:
    """The kills of each ordeal: a state file that has grown old tells no more than a young one."""
    whole, rest = divmod(kills, KILLS_AN_ORDEAL)
    return [KILLS_AN_ORDEAL] * whole + [rest] * bool(rest)


async def ordeals(
    folder: Path, kills: int, points: Collection[Point], host: MailHost | None = None
) -> list[Outcome]:
    """So many kills in several ordeals, some of them at once. What one of them finds, ends the others."""
    plans = [
        fates(seed, points, kills=share, plain=PLAIN_KILLS if seed == 0 else 0)
        for seed, share in enumerate(shares(kills))
    ]
    waiting = iter(enumerate(plans))

    async def lane() -> list[Outcome]:
        found = []
        for seed, plan in waiting:
            found.append(await ordeal(folder, seed, plan, host))
            assert not found[-1].findings, f"seed {seed}: {found[-1].findings}"
        return found

    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(lane()) for _ in range(AT_ONCE)]
    return [outcome for one in lanes for outcome in one.result()]


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    kills = sum((one.kills for one in outcomes), Counter[str]())
    found = {field.name: 0 for field in fields(Findings)}
    for one in outcomes:
        for name in found:
            found[name] += len(getattr(one.findings, name))
    return (
        f"{kills.total()} kills in {seconds:.0f} s, {sum(one.lives for one in outcomes)} lives, "
        f"{sum(one.messages for one in outcomes)} messages, {sum(one.updates for one in outcomes)} updates: "
        + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in found.items())
        + "\nkills by point: "
        + ", ".join(f"{name} {number}" for name, number in sorted(kills.items()))
    )


def never_hit(outcomes: Sequence[Outcome], points: Collection[Point]) -> set[Point]:
    hit = {name for one in outcomes for name in one.kills}
    return {point for point in points if point not in hit}


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Print the summary although the test succeeds."""
    began = time.monotonic()

    def told(outcomes: Sequence[Outcome]) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{summary(outcomes, time.monotonic() - began)}\n")

    return told


@pytest.mark.dovecot
async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, host: MailHost, tell: Tell) -> None:
    """What was handed in for good, by mail or by webhook, is exactly one event, in the order of its conversation, after
    any number of kills at every point; every UID is accounted for, every mail moved once, and the ledger whole after
    every kill.
    """
    outcomes = await ordeals(tmp_path, KILLS - WITHOUT_MAIL_KILLS, frozenset(Point), host)
    tell(outcomes)
    assert sum(one.updates for one in outcomes) > 0
    assert never_hit(outcomes, frozenset(Point)) == set()


async def test_nothing_is_lost_without_mail(tmp_path: Path, tell: Tell) -> None:
    """The same of webhooks alone, at every point that they pass; it needs no mail server."""
    outcomes = await ordeals(tmp_path, WITHOUT_MAIL_KILLS, WITHOUT_MAIL)
    tell(outcomes)
    assert sum(one.updates for one in outcomes) > 0
    assert never_hit(outcomes, WITHOUT_MAIL) == set()


def test_a_point_that_no_life_has_passed_is_named() -> None:
    """A kill that was planned at a point and came otherwise does not count as one there."""
    kills = Counter({str(Point.POST_ENDED): 2, f"{Point.POST_BEGINS} not reached": 1})
    assert never_hit([Outcome(kills)], {Point.POST_ENDED, Point.POST_BEGINS}) == {Point.POST_BEGINS}


@pytest.mark.parametrize("breach", [breaches.no_write_ahead, breaches.no_reconciliation])
async def test_a_careless_sender_is_found_out(tmp_path: Path, breach: Breach) -> None:
    """Where attempts are not written down first, or uncertain ones are simply sent again, six kills double an event."""
    outcome = await ordeal(tmp_path, 0, [Fate(Point.POST_ENDED, nth) for nth in (1, 2, 3) * 2], breach=breach)
    assert outcome.findings.doubled
    assert not outcome.findings.lost


@pytest.mark.dovecot
async def test_a_cursor_that_is_ahead_of_its_items_is_found_out(tmp_path: Path, host: MailHost) -> None:
    """Where the cursor is committed before the items that it stands for, six kills lose a mail."""
    outcome = await ordeal(tmp_path, 0, [Fate(Point.WINDOW_STORED)] * 6, host, breaches.cursor_first)
    assert outcome.findings.lost
    assert not outcome.findings.doubled
