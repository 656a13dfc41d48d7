"""Disks of virtual machines, as image files: made of a folder, and read after the machine was cut off."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import IO

from tests.machine.debian import run

SIZE = "1500M"
FSCK_FAILED = 4
"""e2fsck(8): what is mended is 1 and 2, and so is a journal that is played back."""
FLUSH, DISCARD = 1, 4
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
MAGIC = 0x6A736677736872


def make_disk(tree: Path, disk: Path) -> Path:
    """A disk with one ext4, with nothing left to be initialised in the background."""
    disk.unlink(missing_ok=True)
    options = ("-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0")
    run("mke2fs", *options, "-d", str(tree), str(disk), SIZE)
    return disk


def copied(disk: Path, target: Path) -> Path:
    """A copy, as thin as the disk itself."""
    run("cp", "--sparse=always", "--reflink=auto", str(disk), str(target))
    return target


def read_files(disk: Path, *files: str, into: Path) -> None:
    """Copy files of the disk that are there. Its journal is played back, as the next boot would do it."""
    done = subprocess.run(["e2fsck", "-f", "-y", str(disk)], capture_output=True, text=True, check=False)
    if done.returncode >= FSCK_FAILED:
        raise RuntimeError(f"e2fsck: {done.stdout}{done.stderr}")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for file in files:
        # debugfs(8) takes no folder as a target; what is not there it only says.
        run("debugfs", "-R", f"dump {file} {into / Path(file).name}", str(disk))


def apply_flushed(log: Path, disk: Path) -> int:
    """Write to a disk what a log of QEMU's blklogwrites has up to its last flush; the number of flushes.

    The format is that of the kernel's dm-log-writes: in sectors, a head that counts the entries, then entries, each
    followed by its data. A drive whose cache is gone has that much, and maybe more.
    """
    with log.open("rb") as written, disk.open("r+b") as target:
        magic, _, entries, sector = SUPER.unpack(written.read(SUPER.size))
        if magic != MAGIC:
            return 0  # nothing was ever flushed
        written.seek(sector)
        flushes, waiting = 0, list[tuple[int, int, int]]()
        for _ in range(entries):
            place, sectors, flags, _ = ENTRY.unpack(written.read(sector)[: ENTRY.size])
            if sectors and not flags & DISCARD:
                waiting.append((place * sector, written.tell(), sectors * sector))
                written.seek(sectors * sector, 1)
            if flags & FLUSH:
                _copy(written, target, waiting)
                flushes += 1
                waiting.clear()
        return flushes


def _copy(source: IO[bytes], target: IO[bytes], pieces: list[tuple[int, int, int]]) -> None:
    goes_on_at = source.tell()
    for at, found_at, size in pieces:
        source.seek(found_at)
        target.seek(at)
        target.write(source.read(size))
    source.seek(goes_on_at)
