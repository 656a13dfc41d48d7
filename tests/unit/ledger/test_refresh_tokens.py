"""Rotated refresh tokens in the state file."""

from pathlib import Path

import pytest

from bridge.errors import StateFileError
from bridge.ledger.ledger import Ledger
from bridge.ledger.refresh_tokens import visiting


async def test_kept_over_a_restart(tmp_path: Path) -> None:
    """What was kept is there after the file was closed; the newest one counts, for its mailbox and origin."""
    path = tmp_path / "state.db"
    ledger = await Ledger.open(path)
    await ledger.refresh_tokens.keep_refresh_token("a", "o", "first", now=1)
    await ledger.refresh_tokens.keep_refresh_token("a", "o", "second", now=2)
    await ledger.close()
    ledger = await Ledger.open(path)
    try:
        assert await ledger.refresh_tokens.refresh_token("a", "o") == "second"
        assert await ledger.refresh_tokens.refresh_token("a", "other") is None
        assert await ledger.refresh_tokens.refresh_token("b", "o") is None
    finally:
        await ledger.close()


async def test_a_command_shares_them_with_the_service(tmp_path: Path) -> None:
    """What a command is given while the service runs, the service uses next, and the other way round."""
    path = tmp_path / "state.db"
    ledger = await Ledger.open(path)
    try:
        await ledger.refresh_tokens.keep_refresh_token("a", "o", "of-the-service", now=1)
        assert await visiting(path).refresh_token("a", "o") == "of-the-service"
        await visiting(path).keep_refresh_token("a", "o", "of-the-command", now=2)
        assert await ledger.refresh_tokens.refresh_token("a", "o") == "of-the-command"
    finally:
        await ledger.close()


async def test_before_the_first_start(tmp_path: Path) -> None:
    """Without a state file nothing is kept, and none is made for it: it must be the service's own."""
    path = tmp_path / "state.db"
    assert await visiting(path).refresh_token("a", "o") is None
    with pytest.raises(StateFileError):
        await visiting(path).keep_refresh_token("a", "o", "t", now=1)
    assert not path.exists()
