"""`acd-bridge items retry` and `drop`: what a filter leaves out, and what is asked for."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from bridge.ledger import queries
from bridge.ledger.accepting import accept
from bridge.ledger.file import open_for_writing
from bridge.ledger.operating import drop
from bridge.ledger.outbox import claim, settle
from bridge.ledger.state import ItemState
from bridge.ledger.visit import look
from tests.unit.ledger.making import created, dead, new_item

CONFIG = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = "t"
[state]
path = "{path}"
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:0"
[[route]]
name = "all"
event = {{ type = 5, group = 1 }}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file with two items that are delivered, one dead letter, and one without an event."""
    path = tmp_path / "state.db"
    conn = open_for_writing(path)
    accept(conn, [new_item(key) for key in ("c1", "c2", "d1")], None, now=1)
    settle(conn, list(zip(claim(conn, 3, now=1), [created(1), created(2), dead()], strict=True)), now=2)
    accept(conn, [new_item("q1", state=ItemState.QUARANTINED, event=None)], None, now=3)
    conn.close()
    return path


def items(path: Path, *arguments: str) -> Result:
    config = path.with_name("bridge.toml")
    config.write_text(CONFIG.format(path=path))
    return CliRunner().invoke(app, ["items", *arguments, "--config", str(config)])


def state(path: Path, key: str) -> ItemState:
    def read(conn: sqlite3.Connection) -> ItemState:
        return queries.item(conn, key).state

    return look(path, read)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (["--state", "created"], "0 can be retried; 2 are delivered or have no event"),
        (["--state", "quarantined"], "0 can be retried; 1 are delivered or have no event"),
        (["--source", "support"], "1 can be retried; 3 are delivered or have no event"),
    ],
)
def test_a_filter_leaves_out_what_cannot_be_posted(path: Path, filters: list[str], words: str) -> None:
    """What a filter also finds is counted in one line, and is no error; no line for each item."""
    result = items(path, "retry", *filters, "--yes", "--json")
    assert result.exit_code == 0
    assert words in result.stderr
    assert "error" not in result.stderr
    posted = {"d1": True} if "--source" in filters else {}
    assert json.loads(result.stdout) == posted
    assert state(path, "d1") is (ItemState.PENDING if posted else ItemState.DEAD)


def test_nothing_is_asked_about_nothing(path: Path) -> None:
    """Where nothing can be done there is no question, so that no terminal is needed."""
    assert items(path, "retry", "--state", "created").exit_code == 0
    assert items(path, "drop", "--state", "created", "--why", "old").exit_code == 0


@pytest.mark.parametrize("word", ["retry", "release", "drop"])
def test_many_are_counted_and_asked_about(path: Path, word: str) -> None:
    """By filter, the count is said first; without a terminal and `--yes` nothing is done, and it is said why."""
    with closing(open_for_writing(path)) as conn:
        accept(conn, [new_item(f"h{n}", state=ItemState.HELD) for n in range(3)], None, now=4)
    why = ["--why", "old"] if word == "drop" else []
    result = items(path, word, "--source", "support", "--state", "held", *why)
    assert result.exit_code == 64
    assert "without a terminal give --yes" in result.stderr
    assert {state(path, f"h{n}") for n in range(3)} == {ItemState.HELD}
    done = items(path, word, "--source", "support", "--state", "held", *why, "--yes", "--json")
    assert json.loads(done.stdout) == {f"h{n}": True for n in range(3)}


def test_release_by_filter_leaves_out_what_is_not_held_back(path: Path) -> None:
    """What cannot be let go is counted in one line, and nothing is asked about nothing."""
    result = items(path, "release", "--state", "dead")
    assert result.exit_code == 0
    assert "0 can be released; 1 are not held back or have no event" in result.stderr


def test_a_dropped_item_shows_its_reason_and_its_attempts(path: Path) -> None:
    """The words of whoever gave it up are kept with it, and what was tried before stays on record."""
    assert items(path, "drop", "d1", "--why", "entered by hand, says Berta", "--yes").exit_code == 0
    told = json.loads(items(path, "show", "d1", "--json").stdout)
    assert (told["state"], told["reason"], told["detail"]) == (
        "filtered", "operator-drop", "entered by hand, says Berta",
    )  # fmt: skip
    assert [(one["outcome"], one["words"]) for one in told["attempts"]] == [("refused", "no such group")]
    assert items(path, "retry", "d1", "--yes").exit_code == 0
    assert state(path, "d1") is ItemState.PENDING


def test_an_item_named_by_key_is_refused_by_name(path: Path) -> None:
    """Whoever names an item that cannot be posted is told that it was refused."""
    result = items(path, "retry", "c1", "--yes")
    assert result.exit_code == 1
    assert "error: c1" in result.stderr


def test_what_has_no_event_can_be_dropped(path: Path) -> None:
    """By filter, quarantined items go and delivered ones stay."""
    result = items(path, "drop", "--source", "support", "--why", "done by hand", "--yes")
    assert result.exit_code == 0
    assert "2 can be dropped; 2 are delivered, under way or dropped already" in result.stderr
    assert [state(path, key) for key in ("q1", "d1", "c1")] == ["filtered", "filtered", "created"]


def test_a_reason_is_needed_where_nobody_can_be_asked(path: Path) -> None:
    """Without a terminal a missing `--why` is a wrong call with words, and nothing is dropped."""
    result = items(path, "drop", "d1", "--yes")
    assert result.exit_code == 64
    assert "--why" in result.stderr
    assert "Aborted" not in result.stderr
    assert state(path, "d1") is ItemState.DEAD


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        (["--state", "dead"], ["d1"]),
        (["--sender", "ANNA@example.org", "--state", "created"], ["c2", "c1"]),
        (["--sender", "nobody@example.org"], []),
        (["--ticket", "DH-1", "--reason", "acd-refused"], ["d1"]),
        (["--since", "1970-01-02"], []),
        (["--until", "1970-01-02"], ["q1", "d1", "c2", "c1"]),
    ],
)
def test_filters_of_the_list(path: Path, filters: list[str], keys: list[str]) -> None:
    """All conditions must hold; an address counts whatever its case."""
    printed = items(path, "list", "--json", *filters).stdout
    assert [json.loads(line)["key"] for line in printed.splitlines()] == keys


def test_many_are_changed_in_batches(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service goes on between the batches, and every item that was chosen is done."""
    sizes = []

    def counted(conn: sqlite3.Connection, keys: list[str], why: str, now: int) -> dict[str, bool]:
        sizes.append(len(keys))
        return drop(conn, keys, why, now)

    monkeypatch.setattr("bridge.cli.choice.BATCH", 2)
    monkeypatch.setattr("bridge.cli.decide.operating.drop", counted)
    conn = open_for_writing(path)
    accept(conn, [new_item(f"w{n}") for n in range(5)], None, now=9)
    conn.close()
    assert items(path, "drop", "--state", "pending", "--why", "w", "--yes").exit_code == 0
    assert sizes == [2, 2, 1]
    assert look(path, queries.totals)["pending"] == 0
