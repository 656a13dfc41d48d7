"""`acd-bridge state backup`, `verify` and `forget`."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from bridge.ledger.accepting import accept
from bridge.ledger.file import open_for_writing
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import new_item
from tests.unit.test_items_command import CONFIG


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file with one item that is settled and one that waits, both of Anna."""
    path = tmp_path / "state.db"
    conn = open_for_writing(path)
    accept(conn, [new_item("waits"), new_item("over", state=ItemState.FILTERED)], None, now=1)
    conn.close()
    return path


def state(path: Path, *arguments: str) -> Result:
    config = path.with_name("bridge.toml")
    config.write_text(CONFIG.format(path=path))
    return CliRunner().invoke(app, ["state", *arguments, "--config", str(config)])


def test_a_backup_is_a_state_file_that_fits_together(path: Path) -> None:
    """What `backup` made, `verify` finds good; a second backup to the same place is refused with exit code 74."""
    copy = str(path.with_name("copy.db"))
    assert state(path, "backup", copy, "--json").exit_code == 0
    verified = state(path, "verify", copy, "--json")
    assert (verified.exit_code, json.loads(verified.stdout)["violations"]) == (0, [])
    again = state(path, "backup", copy)
    assert again.exit_code == 74
    assert "--force" in again.stderr


def test_what_does_not_fit_is_named(path: Path) -> None:
    """Exit code 1, the rule's name and an example, for people and for programs."""
    conn = open_for_writing(path)
    conn.execute("UPDATE items SET settled_at = NULL WHERE key = 'over'")
    conn.close()
    told = state(path, "verify")
    assert told.exit_code == 1
    assert "settled-at" in told.stdout
    assert "over" in told.stdout
    violations = json.loads(state(path, "verify", "--json").stdout)["violations"]
    assert [one["name"] for one in violations] == ["settled-at"]


def test_the_receipt_does_not_tell_the_address(path: Path) -> None:
    """Who knows the address can check it; exit code 1 says that something still waits and was left."""
    done = state(path, "forget", "Anna@example.org", "--yes")
    assert done.exit_code == 1
    receipt = json.loads(done.stdout)
    assert (receipt["items"], receipt["left"], receipt["wiped"]) == (1, ["waits"], True)
    assert "anna" not in done.stdout.lower()
    salted = f"{receipt['salt']}anna@example.org".encode()
    assert receipt["address_sha256"] == hashlib.sha256(salted).hexdigest()
    assert state(path, "forget", "anna@example.org", "--yes", "--drop-open").exit_code == 0


def test_it_asks_first(path: Path) -> None:
    """Without a terminal and --yes nothing is changed; something that is no address is refused."""
    assert state(path, "forget", "anna@example.org").exit_code == 64
    assert state(path, "forget", "anna", "--yes").exit_code == 1
    assert json.loads(state(path, "forget", "anna@example.org", "--yes").stdout)["items"] == 1
