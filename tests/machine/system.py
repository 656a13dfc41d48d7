"""A Debian in which commands run and files are written, whether it has booted or is only a folder."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from tests.machine.debian import CLEAN, run

CALL_SECONDS = 60.0


class System(ABC):
    """What an installation needs of it."""

    @abstractmethod
    def do(self, *command: str, within: float = CALL_SECONDS) -> str:
        """Run a command in it as root, which must succeed, and return what it wrote on stdout."""

    @abstractmethod
    def path(self, inside: str) -> Path:
        """Where a file of it is found from outside. Links in it that begin at its root lead astray."""

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write a file of it, and the folders above it."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


class Tree(System):
    """A folder that will become a disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def copied(cls, root: Path, folder: Path) -> Self:
        """A copy that may be changed."""
        run("cp", "--archive", "--reflink=auto", str(root), str(folder))
        return cls(folder)

    def do(self, *command: str, within: float = CALL_SECONDS) -> str:
        """Run a command in it by chroot. Raises RuntimeError where it fails."""
        return run("chroot", str(self.folder), *command, env=CLEAN, within=within)

    def path(self, inside: str) -> Path:
        """Where a file of it is found from outside."""
        return self.folder / inside.removeprefix("/")

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder)
