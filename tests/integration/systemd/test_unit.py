"""The shipped unit, judged by systemd's own tools."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.app import STOP_WITHIN_SECONDS, TICK_WITHIN_SECONDS
from bridge.cli.common import EXIT_CONFIG, EXIT_USAGE
from bridge.intake.imap.splitter import MAX_RESPONSE
from bridge.intake.webhook.limits import Limits

UNIT = Path(__file__).parents[3] / "systemd" / "acd-bridge.service"
SYSTEM_UNITS = Path("/lib/systemd/system")
OWN_BYTES = 100 * 1024 * 1024
"""More than a bridge without any large message was seen to take."""

pytestmark = [
    pytest.mark.systemd,
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"),
]


def settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def setting(name: str) -> str:
    (value,) = [value for one, value in settings(UNIT.read_text()) if one == name]
    return value


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system in which the program is installed where the unit expects it."""
    root = tmp_path_factory.mktemp("root")
    program = root / "opt/acd-bridge/bin/acd-bridge"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    shutil.copytree(SYSTEM_UNITS, root / "lib/systemd/system", symlinks=True)
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/systemd").symlink_to("../../lib/systemd")
    (root / "etc/systemd/system").mkdir(parents=True)
    return root


def verified(root: Path, text: str) -> str:
    """What systemd-analyze says. Its exit code is 0 for unknown keys, so that only silence is success."""
    (root / "etc/systemd/system" / UNIT.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=no", UNIT.name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say_about_the_unit(root: Path) -> None:
    """Every key is known, every value is valid, and the program is where it is looked for."""
    assert verified(root, UNIT.read_text()) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WatchdogSec=", "WatchdogSecs="),
        ("Restart=always", "Restart=allways"),
        ("/bin/acd-bridge", "/bin/absent"),
    ],
)
def test_a_wrong_unit_would_be_noticed(root: Path, right: str, wrong: str) -> None:
    """The check above fails for a misspelt key, a bad value and a missing program."""
    text = UNIT.read_text()
    assert right in text
    assert verified(root, text.replace(right, wrong)) != ""


def exposure_is_within(text: str, folder: Path, tenths: int) -> bool:
    file = folder / UNIT.name
    file.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={tenths}", str(file)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0


def test_the_sandbox_is_tight(tmp_path: Path) -> None:
    """The exposure that systemd reckons is 1.5 or less; without the capability line it would not be."""
    text = UNIT.read_text()
    assert exposure_is_within(text, tmp_path, 15)
    assert not exposure_is_within(text.replace("CapabilityBoundingSet=\n", ""), tmp_path, 15)


def test_no_credential_is_required() -> None:
    """A credential without its file keeps a service from starting, so the unit only shows how."""
    assert not [name for name, _ in settings(UNIT.read_text()) if name.startswith("LoadCredential")]
    assert "LoadCredential=acd-token:" in UNIT.read_text()


def test_the_unit_s_times_fit_the_program_s() -> None:
    """The unit waits longer for the stop than the bridge takes, its watchdog longer than a slow tick."""
    assert float(setting("TimeoutStopSec").removesuffix("s")) > STOP_WITHIN_SECONDS
    assert float(setting("WatchdogSec").removesuffix("s")) > TICK_WITHIN_SECONDS


def test_the_unit_s_bound_of_memory_is_above_the_program_s() -> None:
    """What the bridge bounds itself, twice over and beside its own size, is below what systemd allows it."""
    allowed = int(setting("MemoryMax").removesuffix("M")) * 1024 * 1024
    assert allowed > 2 * (Limits().body_bytes + MAX_RESPONSE) + OWN_BYTES


def test_a_bad_configuration_is_not_tried_again() -> None:
    """No restart follows the exit codes of a bad configuration and of a bad command line."""
    assert {int(code) for code in setting("RestartPreventExitStatus").split()} == {EXIT_CONFIG, EXIT_USAGE, 2}
