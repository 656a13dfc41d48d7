"""The whole application in a simulated network, in bad weather, for simulated hours to weeks: no promise is broken.

One seed is one run, on every machine. $ACD_BRIDGE_SEEDS says how many are tried, after those of
tests/torture/seeds.txt; `make torture` tries more. A seed that breaks a promise is run again with

    ACD_BRIDGE_SEED=1234 pytest tests/torture/test_simulation.py -k weather

and is to be written into tests/torture/seeds.txt, so that every run begins with it.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.simulation.broken_promises import (
    answered_first,
    cursor_first,
    no_reconciliation,
    no_rivals,
    no_write_ahead,
)
from tests.simulation.outcome import Outcome
from tests.simulation.plan import Plan
from tests.simulation.weather import Spell, acd_answers_late, acd_loses_answers, bridge_dying
from tests.simulation.world import run

KEPT = Path(__file__).with_name("seeds.txt")
SEEDS = int(os.environ.get("ACD_BRIDGE_SEEDS", "200"))
MOST_SEEDS_TO_SEE = 40
"""Within so many seeds a promise that is broken on purpose must be seen."""
DEADLY = (bridge_dying, bridge_dying, acd_loses_answers)
DYING = (bridge_dying,) * 4


def chosen_seeds() -> list[int]:
    """The one that is asked for; else those that are kept, and then so many more."""
    if "ACD_BRIDGE_SEED" in os.environ:
        return [int(os.environ["ACD_BRIDGE_SEED"])]
    kept = [int(line.split("#")[0]) for line in KEPT.read_text().splitlines() if line.split("#")[0].strip()]
    return list(dict.fromkeys([*kept, *range(SEEDS)]))


def run_seed(seed: int) -> Outcome:
    return run(Plan.of(seed))


def told(outcome: Outcome) -> str:
    """What a seed broke, and how to see it again."""
    again = f"ACD_BRIDGE_SEED={outcome.seed} pytest tests/torture/test_simulation.py -k weather"
    return f"{again}\n    {outcome.findings}\n    {outcome.faults}"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A line for the reader of the test run, also where all is well."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return write


def test_no_weather_breaks_a_promise(monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]) -> None:
    """Nothing is lost, doubled, out of order or unaccounted, and the ledger is whole, whatever fails."""
    # The runs are measured by nothing: they would take twice the time.
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)
    seeds = chosen_seeds()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        outcomes = list(pool.map(run_seed, seeds, chunksize=4))
    say(summary(outcomes))
    assert [told(outcome) for outcome in outcomes if not outcome.good] == []
    assert all(outcome.messages and outcome.starts for outcome in outcomes)


def summary(outcomes: Sequence[Outcome]) -> str:
    hours = sum(one.hours for one in outcomes)
    messages, spells = sum(one.messages for one in outcomes), sum(one.spells for one in outcomes)
    crashes, starts = sum(one.crashes for one in outcomes), sum(one.starts for one in outcomes)
    return (
        f"{len(outcomes)} seeds: {hours:,.0f} simulated hours, {messages:,} messages, "
        f"{spells:,} spells of bad weather, {crashes:,} crashes, {starts:,} starts"
    )


def test_one_seed_is_one_run() -> None:
    """Two runs of one seed do the same, step by step, also in another process; another seed does something else."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        elsewhere = pool.submit(run_seed, 3)
        here = run_seed(3)
        assert run_seed(3) == here
        assert elsewhere.result() == here
    assert run_seed(1).digest != here.digest


@pytest.mark.parametrize(
    ("broken", "seen", "spells"),
    [
        # Only an end between two transactions shows it, so that the bridge must die often.
        (cursor_first, lambda one: "mail-unaccounted" in str(one.faults) or one.findings.lost, DYING),
        (answered_first, lambda one: one.findings.lost, DEADLY),
        (no_write_ahead, lambda one: one.findings.doubled, DEADLY),
        (no_reconciliation, lambda one: one.findings.doubled, DEADLY),
        (no_rivals, lambda one: one.findings.broken, (acd_answers_late, acd_loses_answers)),
    ],
)
def test_a_broken_promise_is_seen(
    broken: Callable[[], AbstractContextManager[object]],
    seen: Callable[[Outcome], object],
    spells: tuple[Spell, ...],
    say: Callable[[str], None],
) -> None:
    """With a safeguard taken away by hand, the audit finds what it was for within a bounded number of seeds."""
    with broken():
        for seed in range(MOST_SEEDS_TO_SEE):
            if seen(run(Plan.of(seed, spells=spells))):
                say(f"{broken.__name__}: seen by seed {seed}")
                return
    pytest.fail(f"{broken.__name__} was not seen within {MOST_SEEDS_TO_SEE} seeds")
