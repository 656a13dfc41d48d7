"""`acd-bridge duplicates`: which events were repeated, by whom and when."""

import csv
import io
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from bridge.ledger.accepting import accept
from bridge.ledger.file import open_for_writing
from bridge.ledger.item import SameCase
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from tests.unit.ledger.making import created, new_item, updated
from tests.unit.test_items_command import CONFIG

DAY = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Event 70 with two repeats, event 5 that the bridge did not make, and a case of two sources."""
    path = tmp_path / "state.db"
    with closing(open_for_writing(path)) as conn:
        accept(conn, [new_item(key) for key in ("a", "b", "c", "foreign")], None, now=1)
        ends = [created(70), updated(70), updated(70), updated(5)]
        for day, (item, end) in enumerate(zip(claim(conn, 4, now=1), ends, strict=True), 1):
            settle(conn, [(item, end)], now=day * DAY)
        formula = {"sender": "eve@example.org", "subject": "=cmd()", "ticket_number": "9"}
        case = SameCase(sources=frozenset({"support", "desk"}), within=1)
        halves = [
            replace(new_item(f"{source}9", source=source), message=formula, same_case=case)
            for source in ("desk", "support")
        ]
        accept(conn, halves, None, now=9 * DAY)
    return path


def run(path: Path, *arguments: str) -> Result:
    config = path.with_name("bridge.toml")
    config.write_text(CONFIG.format(path=path))
    return CliRunner().invoke(app, ["duplicates", *arguments, "--config", str(config)])


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_line_an_event(path: Path) -> None:
    """An operator sees the event, its first item, how often it was repeated, when and from where."""
    head, *lines = (line.split("\t") for line in run(path).stdout.splitlines())
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    assert [(row["event"], row["first_key"], row["repeats"]) for row in rows] == [
        ("", "desk9", "1"), ("5", "", "1"), ("70", "a", "2"),
    ]  # fmt: skip
    last = rows[2]
    assert (last["first_source"], last["by"], last["ticket"]) == ("support", "support", "DH-1")
    assert (last["first_repeat"][:10], last["last_repeat"][:10]) == ("1970-01-03", "1970-01-04")


def test_json_tells_each_repeat(path: Path) -> None:
    """The newest first, with what is known of it, and why it is one."""
    case, foreign, event = events(run(path, "--json"))
    assert [one["key"] for one in event["each"]] == ["c", "b"]
    assert (foreign["first_key"], foreign["acd_event_id"]) == (None, 5)
    (half,) = case["each"]
    assert (half["kind"], half["source"], half["first_source"]) == ("same-case", "support", "desk")


@pytest.mark.parametrize(
    ("arguments", "repeats"),
    [
        (["--event", "70"], {70: 2}),
        (["--ticket", "9"], {None: 1}),
        (["--ticket", "DH-1"], {5: 1, 70: 2}),
        (["--ticket", ""], {}),
        (["--since", "1970-01-04"], {None: 1, 5: 1, 70: 1}),
        (["--since", "1970-01-04", "--event", "70"], {70: 1}),
        (["--limit", "1"], {None: 1}),
        (["--event", "71"], {}),
    ],
)
def test_what_is_asked_for(path: Path, arguments: list[str], repeats: dict[int | None, int]) -> None:
    """All conditions must hold, and only what fits is counted."""
    found = events(run(path, "--json", *arguments))
    assert {one["acd_event_id"]: one["repeats"] for one in found} == repeats


def test_csv_has_a_line_a_repeat(path: Path) -> None:
    """The newest first; what looks like a formula is none."""
    rows = list(csv.DictReader(io.StringIO(run(path, "--csv").stdout)))
    assert [row["key"] for row in rows] == ["support9", "foreign", "c", "b"]
    assert (rows[0]["subject"], rows[0]["kind"], rows[0]["acd_event_id"]) == ("'=cmd()", "same-case", "")
    assert len(run(path, "--csv", "--ticket", "9").stdout.splitlines()) == 2


def test_they_stay_when_the_items_are_gone(path: Path) -> None:
    """The record says the same after retention has taken the items."""
    before = run(path, "--json").stdout
    with closing(open_for_writing(path)) as conn:
        assert remove_settled(conn, before=8 * DAY) == 4
    assert run(path, "--json").stdout == before


def test_what_came_later_still_knows_the_first(path: Path) -> None:
    """An event that is repeated again after its first item was removed is that item's event all the same."""
    with closing(open_for_writing(path)) as conn:
        remove_settled(conn, before=8 * DAY)
        accept(conn, [new_item("late", conversation="late")], None, now=1)
        claimed = claim(conn, 9, now=9 * DAY)
        settle(conn, [(one, updated(70)) for one in claimed if one.key == "late"], now=9 * DAY)
    (event,) = events(run(path, "--json", "--event", "70"))
    assert (event["first_key"], event["first_source"], event["repeats"]) == ("a", "support", 3)
    assert {one["first_key"] for one in event["each"]} == {"a"}
