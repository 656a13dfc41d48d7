"""What is noted before it is read, and whether the file was closed."""

from pathlib import Path

import pytest

from bridge.ledger import readings
from bridge.ledger.ledger import Ledger
from bridge.ledger.readings import Reading

NOTED = Reading(uidvalidity=7, first_uid=1, last_uid=500, tries=1)


async def die(ledger: Ledger) -> None:
    """End without closing in order, but for what the system would do."""
    ledger._reader.close()
    await ledger._writer.close()
    ledger._lock.release()


async def test_an_end_in_order_leaves_nothing(tmp_path: Path) -> None:
    """A first start and one after an orderly end know of no trouble; notes of before are gone."""
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is None
    await die(ledger)
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is not None
    await ledger.readings.begin("a", "INBOX", 0, NOTED)
    await ledger.close()
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is None
    await die(ledger)
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is not None
    assert await ledger.readings.last("a", "INBOX", 0) is None
    await ledger.close()


async def test_notes_outlive_a_death(tmp_path: Path) -> None:
    """The newest note of a folder and lane is there after the next death, and gone once all was read."""
    await die(await Ledger.open(tmp_path / "state.db"))
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is not None
    await ledger.readings.begin("a", "INBOX", 0, NOTED)
    await ledger.readings.begin("a", "INBOX", 0, NOTED._replace(tries=2))
    await ledger.readings.begin("a", "INBOX", 1, NOTED)
    await die(ledger)
    ledger = await Ledger.open(tmp_path / "state.db")
    assert ledger.readings is not None
    assert await ledger.readings.last("a", "INBOX", 0) == NOTED._replace(tries=2)
    await ledger.readings.end("a", "INBOX", 0)
    assert await ledger.readings.last("a", "INBOX", 0) is None
    assert await ledger.readings.last("a", "INBOX", 1) == NOTED
    await ledger.close()


async def test_a_defect_at_the_close_leaves_nothing_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the last word into the file meets, the file is closed and free for the next service."""
    ledger = await Ledger.open(path)
    with monkeypatch.context() as broken:
        broken.setattr(readings, "closed", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await ledger.close()
    again = await Ledger.open(path)
    assert not again.closed_before
    await again.close()
