"""What a disk has for certain, worked out of the log of its writes."""

from pathlib import Path

from tests.machine.disk import ENTRY, FLUSH, MAGIC, SUPER, apply_flushed

SECTOR = 512


def sectors(*pieces: bytes) -> bytes:
    return b"".join(piece.ljust(SECTOR, b"\0") for piece in pieces)


def entry(place: int, data: bytes = b"", flags: int = 0) -> bytes:
    head = ENTRY.pack(place, len(data) // SECTOR, flags, 0)
    return sectors(head) + data


def test_only_what_a_flush_followed_is_certain(tmp_path: Path) -> None:
    """Writes before the last flush are there, in their order; the one behind it is not."""
    log, disk = tmp_path / "log", tmp_path / "disk"
    a, b, c, d = (letter.encode() * SECTOR for letter in "abcd")
    entries = [
        entry(0, a),
        entry(2, b),
        entry(0, flags=FLUSH),
        entry(0, c),
        entry(0, flags=FLUSH),
        entry(1, d),
    ]
    log.write_bytes(sectors(SUPER.pack(MAGIC, 1, len(entries), SECTOR)) + b"".join(entries))
    disk.write_bytes(b"." * 4 * SECTOR)
    assert apply_flushed(log, disk) == 2
    assert disk.read_bytes() == c + b"." * SECTOR + b + b"." * SECTOR


def test_a_disk_that_was_never_flushed_is_as_it_was(tmp_path: Path) -> None:
    """The log's head is written at the first flush; without it nothing is certain."""
    log, disk = tmp_path / "log", tmp_path / "disk"
    log.write_bytes(bytes(SECTOR) + entry(0, b"a" * SECTOR))
    disk.write_bytes(b"." * SECTOR)
    assert apply_flushed(log, disk) == 0
    assert disk.read_bytes() == b"." * SECTOR
