"""A minimal Debian 12 with the bridge's dependencies in it, as a folder: what containers and virtual machines boot.

It is made once by mmdebstrap and pip, which takes about a minute, and kept in $ACD_BRIDGE_TEST_CACHE, else
~/.cache/acd-bridge-tests, under a name that tells what is in it. Nobody may change what is there: work on an overlay.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CONSTRAINTS = PROJECT / "constraints.txt"
CACHE_VARIABLE = "ACD_BRIDGE_TEST_CACHE"
SUITE = "bookworm"
PYTHON = "3.11"
"""The suite's own."""
GLIBC_MINOR = 36
"""The suite's; wheels for any older one of it fit."""
PACKAGES = ("dbus", "python3", "python3-venv", "systemd", "systemd-sysv")
PROGRAM = "/opt/acd-bridge"
"""Where docs/operations.md and the unit have it."""
MAKING_SECONDS = 600
KEPT_UNUSED_SECONDS = 14 * 86400
CLEAN = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""What goes into the root of this machine's environment: nothing."""


class CannotBeMadeError(Exception):
    """There is no such machine to be had here; the text says why."""


def debian_root(*more_packages: str) -> Path:
    """The folder of a Debian that has these packages too. Raises CannotBeMadeError."""
    if os.geteuid() != 0:
        raise CannotBeMadeError("only root can make a Debian")
    if shutil.which("mmdebstrap") is None:
        raise CannotBeMadeError("mmdebstrap is not installed")
    packages = sorted({*PACKAGES, *more_packages})
    folder = cache() / f"debian-{_digest(packages)}"
    with alone(folder):
        if not (folder / "complete").exists():
            _forget_unused()
            _make(folder, packages)
        (folder / "complete").touch()
    return folder / "root"


def wheel(into: Path) -> Path:
    """The bridge as it stands here, as a wheel. Raises RuntimeError where it cannot be built."""
    run(*_pip("wheel"), "--no-deps", f"--wheel-dir={into}", str(PROJECT))
    (built,) = into.glob("acd_bridge-*.whl")
    return built


def run(*command: str, env: dict[str, str] | None = None, within: float = MAKING_SECONDS) -> str:
    """Run to the end, and return what it wrote. Raises RuntimeError with its last lines where it failed."""
    done = subprocess.run(
        command, env=env, timeout=within, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])}: {' | '.join(done.stdout.strip().splitlines()[-5:])}")
    return done.stdout


def cache() -> Path:
    """The folder of what tests make once."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "acd-bridge-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two test runs on one machine must not make the same folder at the same time."""
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(packages: Sequence[str]) -> str:
    parts = (*packages, *_dependencies(), CONSTRAINTS.read_text(), Path(__file__).read_text())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _forget_unused() -> None:
    """Each new pin in constraints.txt makes another one, of some 400 MB."""
    for complete in cache().glob("debian-*/complete"):
        if time.time() - complete.stat().st_mtime > KEPT_UNUSED_SECONDS:
            shutil.rmtree(complete.parent)


def _make(folder: Path, packages: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        _bootstrap(folder / "root", packages)
        _install_dependencies(folder / "root")
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        raise CannotBeMadeError(f"no Debian could be made: {error}") from error


def _bootstrap(root: Path, packages: Sequence[str]) -> None:
    run("mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(packages)}", SUITE, str(root))


def _install_dependencies(root: Path) -> None:
    """The way of docs/operations.md, without the bridge itself. The root has no index, so wheels are brought along."""
    wheels = root / "var" / "wheels"
    run(*_pip("download"), *_for_the_root(), "-c", str(CONSTRAINTS), "-d", str(wheels), *_dependencies())
    run("chroot", str(root), "python3", "-m", "venv", PROGRAM, env=CLEAN)
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--find-links=/var/wheels", *_dependencies()]
    run("chroot", str(root), f"{PROGRAM}/bin/python", *install, env=CLEAN)
    shutil.rmtree(wheels)


def _dependencies() -> list[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def _for_the_root() -> Iterator[str]:
    """This machine's Python may be another one than the root's (PEP 600 names the platforms)."""
    yield from ("--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp")
    for minor in range(5, GLIBC_MINOR + 1):
        yield f"--platform=manylinux_2_{minor}_{platform.machine()}"
    yield f"--platform=manylinux2014_{platform.machine()}"


def _pip(command: str) -> Sequence[str]:
    return (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", command)
