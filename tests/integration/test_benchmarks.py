"""The benchmarks run, so that the commands of the README do what it says. Their figures are not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BENCHMARKS = {
    "end_to_end": (["20", "1", "1"], "ratio:"),
    "first_start": (["20", "40"], "ratio"),
    "imap_headers": (["600"], "of the raw socket"),
    "latency": (["3"], "from delivery to event"),
    "mail_reading": ([], "read_mail"),
    "state_file": (["600", "1200"], "ratio:"),
}


@pytest.mark.dovecot
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_comes_to_its_end(name: str) -> None:
    """It starts what it measures, and tells a figure."""
    arguments, word = BENCHMARKS[name]
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert word in run.stdout


def test_every_benchmark_is_run() -> None:
    """None is forgotten above."""
    helpers = {"__init__", "plain_script", "stand"}
    assert {path.stem for path in (PROJECT / "tests" / "bench").glob("*.py")} - helpers == set(BENCHMARKS)
