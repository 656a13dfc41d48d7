"""The process that is killed: a real command of the bridge in a process of its own, which ends itself at a point, and
on wish breaks a promise. The product knows nothing of this.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

from bridge.cli import main
from bridge.cli import run as _preloaded  # noqa: F401 - what a fork finds loaded costs it nothing
from bridge.delivery import reconciler
from bridge.intake.imap import (
    after_delivery,
    after_delivery_folder,
    after_delivery_keeper,
    mailbox,
    suspicion,
)
from bridge.intake.imap.retry import RetryTimes, Waits
from bridge.points import Point, watching

PAUSE_SECONDS = 0.05
"""Between two tries of parts that else take their time: a life lasts a few tenths of a second here."""

Breach = Callable[[], None]
"""Breaks a promise of the bridge, in this process."""


@dataclass(slots=True)
class Death:
    """The process ends itself by SIGKILL when it passes the point for the `nth` time."""

    point: Point
    nth: int = 1
    _passed: int = field(default=0, repr=False)

    def watch(self, point: Point) -> None:
        """Points are passed in two threads, but each of them always in the same one."""
        if point is self.point:
            self._passed += 1
            if self._passed == self.nth:
                os.kill(os.getpid(), signal.SIGKILL)


def live(
    command: Sequence[str], output: Path, *, death: Death | None = None, breach: Breach | None = None
) -> None:
    """Run a command of the bridge in this process, which was just forked; what it says goes to a file."""
    _check_nothing_is_inherited()
    _write_to(output)
    _hurry()
    _blame_no_mail()
    if breach is not None:
        breach()
    sys.argv = ["acd-bridge", *command]
    with ExitStack() as stack:
        if death is not None:
            stack.enter_context(watching(death.watch))
        main()


def _hurry() -> None:
    for module, name in (
        (reconciler, "LEAST_BETWEEN_READINGS"),
        (after_delivery_keeper, "LOOK_EVERY_SECONDS"),
        (after_delivery, "LONGEST_WAIT"),
    ):
        mock.patch.object(module, name, PAUSE_SECONDS).start()
    quick = partial(RetryTimes, outage=Waits(PAUSE_SECONDS, PAUSE_SECONDS))
    mock.patch.object(mailbox, "RetryTimes", quick).start()


def _blame_no_mail() -> None:
    """Some bounds are for ends that come now and then; where every life ends early, they would mean something else."""
    for module, name in (
        (after_delivery_folder, "GIVEN_UP_RENUMBERED"),  # minutes lie between these tries in service
        (suspicion, "BARE_FROM"),  # kills that hit one mail three times in a row would be its fault
        (suspicion, "NOT_AT_ALL_FROM"),
    ):
        mock.patch.object(module, name, sys.maxsize).start()


def _write_to(output: Path) -> None:
    with output.open("ab") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)


def _check_nothing_is_inherited() -> None:
    """A life is as good as one that was started anew: no thread, no event loop, no state file came with the fork."""
    threads = threading.active_count(), len(list(Path("/proc/self/task").iterdir()))
    inherited = [name for name in _open_files() if name.startswith("anon_inode:") or "state.db" in name]
    if threads != (1, 1) or inherited:
        raise RuntimeError(f"forked with {threads} threads and with {inherited} open")


def _open_files() -> list[str]:
    """The descriptor by which the folder was listed is among them, and closed by then."""
    return [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
