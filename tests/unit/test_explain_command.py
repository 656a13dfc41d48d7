"""`acd-bridge explain`."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from bridge.ledger import accepting, mail_actions, outbox
from bridge.ledger.file import open_for_writing
from bridge.ledger.finding import MOST, find
from bridge.ledger.item import NewItem, Settlement
from bridge.ledger.mail_actions import Postponed
from bridge.ledger.state import OPEN, ItemState
from bridge.reason import Reason
from tests.unit.ledger.making import DRAFT, created, later

CONFIG = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = "t"
[state]
path = "{path}"
[[webhook]]
name = "helpdesk"
unsigned = true
fields = {{ subject = "body.title", delivery = "body.id" }}
[listen]
webhooks = "127.0.0.1:0"
[[route]]
name = "bodies"
when = "sender and 'urgent' in text"
event = {{ type = "Ticket", group = "Urgent" }}
[[route]]
name = "sales"
when = "subject == 'Sales'"
event = {{ type = "Ticket", group = "Sales" }}
[[route]]
name = "billing"
when = "subject == 'Billing'"
event = {{ type = "Ticket", group = "Billing" }}
"""
MESSAGE = {
    "noticed": "push",
    "sender": "anna@example.org",
    "subject": "Printer\x1b[2J on strike",
    "ticket_number": "77",
    "message_id": "m1@example.org",
    "notes": ["no sender could be found"],
    "ticket_candidates": [
        {"number": "77", "where": "references", "form": "rt"},
        {"number": "9", "where": "subject", "form": "otrs"},
    ],
}


def item(key: str, **change: Any) -> NewItem:
    values: dict[str, Any] = {
        "key": key,
        "source": "support",
        "kind": "mail",
        "place": "INBOX/1/7",
        "conversation": "ticket 77",
        "state": ItemState.PENDING,
        "received_at": 1000,
        "route": "billing",
        "event": DRAFT,
        "message": MESSAGE,
    }
    return NewItem(**values | change)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def conn(path: Path) -> sqlite3.Connection:
    connection = open_for_writing(path)
    mail_actions.set_sources(connection, ["support"], 1)
    return connection


def deliver(conn: sqlite3.Connection, new: NewItem, *settlements: Settlement) -> None:
    accepting.accept(conn, [new], None, 2000)
    for number, settlement in enumerate(settlements):
        outbox.settle(conn, [(outbox.claim(conn, 1, 3000 + number)[0], settlement)], 3500 + number)


def explain(path: Path, *arguments: str) -> Result:
    config = path.with_name("bridge.toml")
    config.write_text(CONFIG.format(path=path))
    return CliRunner().invoke(app, ["explain", *arguments, "--config", str(config)])


def test_the_whole_story_in_words(conn: sqlite3.Connection, path: Path) -> None:
    """Where it came from, what was read, each attempt, the action, and what is next; no sign steers a terminal."""
    deliver(conn, item("aabb"), later(3001), created(55))
    accepting.accept(conn, [item("aabb", place="INBOX/2/1")], None, 4000)
    mail_actions.record(conn, [], [Postponed(item_id=1, due_at=9000, detail="read only")], 5000)
    conn.close()
    result = explain(path, "aabb")
    assert result.exit_code == 0
    for words in (
        "item aabb: created",
        "came: mail of 'support' at INBOX/1/7",
        "found again at INBOX/2/1, once",
        "note: no sender could be found",
        "ticket number 77 in references (form rt) is taken",
        "ticket number 9 in subject (form otrs) is less trusted",
        "kept in order with: ticket 77",
        "route: billing",
        "  before it, by the routes as they are now:",
        "  bodies: cannot be told: it looks at what is not kept of a message",
        "what is not kept cannot be asked about; save the mail",
        "noticed by push: the mail server told of it while the connection waited",
        "attempt 1 at 1970-01-01T00:00:03.000+00:00: later (HTTP 503), acd-failed",
        "attempt 2",
        "event in the ACD: 55",
        "after delivery: due at 1970-01-01T00:00:09.000+00:00, refused once, read only",
        "next: the mail gets its action, from 1970-01-01T00:00:09.000+00:00 on",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("words", ["aab", "55", "77", "m1@example.org", "<m1@example.org>"])
def test_any_name_of_an_item(conn: sqlite3.Connection, path: Path, words: str) -> None:
    """A key's beginning, an event ID, a ticket number and a Message-ID all lead to it."""
    deliver(conn, item("aabb"), created(55))
    conn.close()
    result = explain(path, words, "--json")
    told = json.loads(result.stdout)
    assert (told["key"], told["state"], told["acd_event_id"]) == ("aabb", "created", 55)
    assert [one["number"] for one in told["ticket_candidates"]] == ["77", "9"]
    assert told["attempts"][0]["outcome"] == "created"
    assert told["after_delivery"]["outcome"] == ""


def test_several_items_are_listed(conn: sqlite3.Connection, path: Path) -> None:
    """More than one that fits are listed with their keys, and no more than a page of them."""
    for number in range(MOST + 5):
        deliver(conn, item(f"k{number:03}"))
    assert len(find(conn, "77")) == MOST
    conn.close()
    result = explain(path, "77")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == MOST + 1
    assert "explain one by its key" in result.stderr
    assert len(json.loads(explain(path, "k00", "--json").stdout)) == 10


@pytest.mark.parametrize("words", ["nothing", "", "<>", "9" * 40, "%", "x@y.z", '"@'])
def test_a_name_that_nothing_has(conn: sqlite3.Connection, path: Path, words: str) -> None:
    """It is said, with what to do; no name raises."""
    deliver(conn, item("aabb"))
    conn.close()
    result = explain(path, words)
    assert result.exit_code == 74
    assert "hint:" in result.stderr


def test_message_ids_that_json_writes_otherwise(conn: sqlite3.Connection) -> None:
    """A Message-ID with quotes and backslashes is found as it is."""
    message_id = 'a"b\\c@example.org'
    deliver(conn, item("aabb", message=MESSAGE | {"message_id": message_id}))
    assert [one.key for one in find(conn, message_id)] == ["aabb"]


def test_routes_are_tried_again_where_the_message_was_kept(conn: sqlite3.Connection, path: Path) -> None:
    """A quarantined webhook's body is at hand: each route says why it does not match."""
    quarantined = item(
        "ccdd",
        source="helpdesk",
        kind="ticket",
        place="d1",
        state=ItemState.QUARANTINED,
        reason=Reason.NO_ROUTE,
        event=None,
        route=None,
        raw=b'{"title": "Other", "id": "d1"}',
    )
    deliver(conn, quarantined)
    conn.close()
    told = json.loads(explain(path, "ccdd", "--json").stdout)
    assert [one["route"] for one in told["route"]["tried"]] == ["bodies", "sales", "billing"]
    assert "subject is 'Other'" in told["route"]["tried"][1]["why_not"]
    assert told["after_delivery"] is None
    words = explain(path, "ccdd").stdout
    assert "route: none" in words
    assert "attempts: none" in words


@pytest.mark.parametrize(
    ("change", "tried"),
    [
        (
            {"route": "billing"},
            {"bodies": "cannot be told", "sales": "subject == 'Sales' is false (subject is 'Pri"},
        ),
        ({"route": "sales"}, {"bodies": "cannot be told"}),
        (
            {"route": "renamed since"},
            {"bodies": "cannot be told", "sales": "subject ==", "billing": "subject =="},
        ),
        ({"message": {"subject": "Sales"}}, {"bodies": "sender is false", "sales": "matches"}),
    ],
)
def test_the_routes_are_asked_again(
    conn: sqlite3.Connection, path: Path, change: dict[str, Any], tried: dict[str, str]
) -> None:
    """Up to the one that decided: why each did not match, that it would now, or that nobody can tell any more."""
    deliver(conn, item("aabb", **change))
    conn.close()
    told = json.loads(explain(path, "aabb", "--json").stdout)["route"]["tried"]
    assert [one["route"] for one in told] == list(tried)
    for one in told:
        assert one["why_not"].startswith(tried[one["route"]])


def test_no_route_is_asked_about_nothing(conn: sqlite3.Connection, path: Path) -> None:
    """Of a mail that could not be read, or that is forgotten, nothing is claimed."""
    deliver(conn, item("aabb", state=ItemState.QUARANTINED, event=None, message={"size": 5}))
    conn.close()
    assert json.loads(explain(path, "aabb", "--json").stdout)["route"]["tried"] is None


def test_a_held_item_is_released_or_dropped(conn: sqlite3.Connection, path: Path) -> None:
    """The words are those of the alarms about held items."""
    deliver(conn, item("aabb", state=ItemState.HELD))
    conn.close()
    told = explain(path, "aabb").stdout
    assert "`acd-bridge items release aabb` or `items drop aabb`" in told


@pytest.mark.parametrize("state", list(ItemState))
def test_every_state_says_what_is_next(conn: sqlite3.Connection, path: Path, state: ItemState) -> None:
    """No state leaves an operator without a word, nor is an open item's mail said to stay as it is."""
    deliver(conn, item("aabb", state=state))
    conn.close()
    told = explain(path, "aabb").stdout
    assert "next: " in told
    assert ("after delivery: nothing before it is delivered" in told) is (state in OPEN)
    assert ("after delivery: nothing is to be done with it" in told) is (state not in OPEN)
