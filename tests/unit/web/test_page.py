"""The status page shows what there is, and nothing that was put in becomes markup."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.ledger.state import ItemState
from bridge.web.page import MAX_CELL_CHARACTERS, MAX_ROWS, cell, span, status_page, summary, table
from bridge.web.status import Status

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def status(**fields: Any) -> Status:
    values: dict[str, Any] = {
        "version": "1.2.3",
        "started_at": NOW - timedelta(hours=3, minutes=5),
        "mailboxes": [],
        "webhooks": [],
        "items": {},
        "oldest_open_age": None,
        "paused": None,
    }
    return Status(**{**values, **fields})


def test_every_state_has_its_place() -> None:
    """The page names every state of an item, with its number."""
    page = status_page(status(items={state: 1000 + n for n, state in enumerate(ItemState)}), NOW)
    for n, state in enumerate(ItemState):
        assert f"<dt>{state}</dt>" in page
        assert f"<dd>{1000 + n}</dd>" in page


def test_hostile_text_is_escaped_wherever_it_comes_from() -> None:
    """Names, keys, errors and reasons cannot bring markup into the page."""
    evil = "<script>alert(1)</script>"
    row = {"name": evil, "folders": [{"folder": evil, evil: [evil, {evil: evil}], "connected": False}]}
    page = status_page(status(mailboxes=[row], webhooks=[row], paused=evil, version=evil), NOW)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No script, no inline style and no address of another server is in the page."""
    page = status_page(status(mailboxes=[{"name": "support", "connected": True}]), NOW)
    for wrong in ("<script", "style=", "<style", "http://", "https://", "//"):
        assert wrong not in page.replace("<!doctype html>", "")


def test_times_and_ages_are_readable() -> None:
    """Uptime, the oldest item's age and the moment of the page are in words."""
    page = status_page(status(oldest_open_age=95.0), NOW)
    assert "up 3 h 5 min" in page
    assert "oldest: 1 min 35 s" in page
    assert "As of 2026-01-02 12:00:00 UTC" in page


def test_the_summary_puts_the_worst_first() -> None:
    """A pause is bad, lost mailboxes and items that need a person are a warning, else all is well."""
    lost = [{"name": "support", "folders": [{"folder": "INBOX", "connected": False}]}]
    assert summary(status()) == ("good", "All is well.", [])
    tone, _, details = summary(status(mailboxes=lost, items={"dead": 2}))
    assert (tone, len(details)) == ("warn", 2)
    tone, _, details = summary(status(mailboxes=lost, paused="acd-unauthorised"))
    assert tone == "bad"
    assert details[0] == "Paused: acd-unauthorised."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86400, "1 d"),
        (90061, "1 d 1 h"),
        (86405, "1 d"),
        (40 * 86400, "40 d"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    """A length of time is told in its two largest units."""
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("value", "words", "tone"),
    [
        (None, "-", ""),
        ("", "-", ""),
        (True, "yes", "good"),
        (False, "no", "bad"),
        (7, "7", ""),
        (1.25, "1.2", ""),
        (["a", "b"], "a, b", ""),
        ((), "-", ""),
        ({"a": 1, "b": None}, "a 1, b -", ""),
        ({}, "-", ""),
        (NOW, "2026-01-02 12:00:00 UTC", ""),
        ([True], "True", ""),
    ],
)
def test_cells(value: Any, words: str, tone: str) -> None:
    """Every kind of value has its words; only yes and no have a tone."""
    assert (cell(value).words, cell(value).tone) == (words, tone)


def test_tables_are_bounded() -> None:
    """Neither many rows nor a long value make an endless page."""
    columns, rows = table([{"a": "x" * 10_000, f"b{n}": n} for n in range(2 * MAX_ROWS)])
    assert len(rows) == MAX_ROWS
    assert len(columns) == MAX_ROWS + 1
    assert len(rows[0][0].words) == MAX_CELL_CHARACTERS + 3


def test_columns_are_those_of_all_rows() -> None:
    """A key that only some rows have is a column; the others show that they have none."""
    columns, rows = table([{"name": "a"}, {"name": "b", "last_look": 1}])
    assert columns == ["name", "last look"]
    assert [[one.words for one in row] for row in rows] == [["a", "-"], ["b", "1"]]
