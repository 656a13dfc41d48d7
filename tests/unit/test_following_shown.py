"""Where a followed event stands, as operators see it: `explain`, `items show`, `status`, and the page."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from bridge.ledger import follow_ups, mail_actions, notices
from bridge.ledger.file import open_for_writing
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.notices import Sent
from bridge.web.page import status_page
from bridge.web.status import Status
from tests.unit.ledger.making import created
from tests.unit.ledger.test_follow_ups import settled
from tests.unit.test_items_command import CONFIG

SEEN = Looked(
    item_id=1, due_at=9000, steady=0, told=True, status=30, status_name="Seen", new_at=4000, seen_at=5000
)
DONE = Looked(
    item_id=1,
    due_at=0,
    steady=0,
    told=True,
    status=99,
    status_name="Done",
    done_at=6000,
    outcome=FollowUpOutcome.DONE,
)
LOST = Looked(item_id=1, due_at=0, steady=0, told=False, outcome=FollowUpOutcome.UNKNOWN)
FAILED = Sent(item_id=1, outcome=None, due_at=8000, detail="HTTP 503")


def shown(
    folder: Path,
    looked: Sequence[Looked],
    sent: Sequence[Sent],
    *arguments: str,
    when_done: Sequence[str] = (),
) -> Result:
    """What a command says of a state file in which this was found about one item, and this was sent."""
    folder.mkdir(exist_ok=True)
    path, config = folder / "state.db", folder / "bridge.toml"
    with closing(open_for_writing(path)) as conn:
        follow_ups.set_routes(conn, [FollowedRoute(route="billing", notify="desk")], 30, 900, 1)
        mail_actions.set_sources(conn, [], 1, when_done=when_done)
        settled(conn, "aabb", created(5))
        for number, one in enumerate(looked):
            follow_ups.record(conn, [one], 6000 + number)
        notices.record(conn, sent, 7000)
    config.write_text(CONFIG.format(path=path))
    result = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    assert result.exit_code == 0
    return result


@pytest.mark.parametrize(
    ("looked", "sent", "lines"),
    [
        ([], [], ["in the ACD: not seen yet", "followed: looked at 0 times, next at 1970-01-01T00:00:00.130+00:00"]),
        (
            [SEEN],
            [],
            [
                "in the ACD: Seen, New at 1970-01-01T00:00:04.000+00:00, Seen at 1970-01-01T00:00:05.000+00:00",
                "followed: looked at once, next at 1970-01-01T00:00:09.000+00:00",
            ],
        ),
        (
            [SEEN, DONE],
            [FAILED],
            [
                "Done at 1970-01-01T00:00:06.000+00:00",
                "followed: ended as done at 1970-01-01T00:00:06.001+00:00",
                "notice to 'desk': due at 1970-01-01T00:00:08.000+00:00, not taken once, HTTP 503",
            ],
        ),
    ],
)  # fmt: skip
def test_explain_tells_where_it_stands(
    tmp_path: Path, looked: list[Looked], sent: list[Sent], lines: list[str]
) -> None:
    """The state in the ACD, its times, the next look or the end, and what became of the notice."""
    told = shown(tmp_path, looked, sent, "explain", "aabb").stdout
    assert [line for line in lines if line not in told] == []


@pytest.mark.parametrize(
    ("looked", "words"),
    [
        ([SEEN], "after delivery: it begins when the event is Done in the ACD"),
        ([SEEN, DONE], "after delivery: due at 1970-01-01T00:00:06.001+00:00"),
        ([LOST], "after delivery: nothing is to be done with it"),
    ],
)
def test_a_mail_that_waits_for_done_says_so(tmp_path: Path, looked: list[Looked], words: str) -> None:
    """Until its event has ended; then it has its action, or none for good."""
    assert words in shown(tmp_path, looked, [], "explain", "aabb", when_done=["support"]).stdout


@pytest.mark.parametrize(
    ("looked", "when_done", "words"),
    [
        ([SEEN], ["support"], "next: its event is looked at in the ACD, from 1970-01-01T00:00:09.000+00:00 on"),
        ([DONE], ["support"], "next: the mail gets its action, from 1970-01-01T00:00:06.000+00:00 on"),
        ([DONE], [], "next: its notice is sent, from 1970-01-01T00:00:06.000+00:00 on"),
        ([LOST], ["support"], "next: nothing: it is settled"),
    ],
)  # fmt: skip
def test_what_comes_after_the_event_is_next(
    tmp_path: Path, looked: list[Looked], when_done: list[str], words: str
) -> None:
    """A settled item whose event is followed, whose mail is to be put away or whose notice waits is not over."""
    assert words in shown(tmp_path, looked, [], "explain", "aabb", when_done=when_done).stdout


def test_a_state_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    """An ACD may have states that its list does not name."""
    unnamed = Looked(item_id=1, due_at=9000, steady=0, told=True, status=77)
    assert "in the ACD: state 77" in shown(tmp_path, [unnamed], [], "explain", "aabb").stdout


@pytest.mark.parametrize("command", [("explain", "aabb"), ("items", "show", "aabb")])
def test_programs_get_all_of_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    """As JSON, with times in ISO 8601."""
    told = json.loads(shown(tmp_path, [SEEN, DONE], [FAILED], *command, "--json").stdout)
    follow_up, notice = told["follow_up"], told["notice"]
    assert (follow_up["status"], follow_up["outcome"], follow_up["looks"]) == (99, "done", 2)
    assert follow_up["seen_at"] == "1970-01-01T00:00:05.000+00:00"
    assert (notice["target"], notice["tries"], notice["ended_at"]) == ("desk", 1, None)


def test_status_counts_what_waits(tmp_path: Path) -> None:
    """How many events are followed and when the next look is due; how many notices wait for whom."""
    assert "followed in the ACD: 1 event, the next look at 1970-01-01T00:00:09" in (
        shown(tmp_path / "a", [SEEN], [], "status").stderr
    )
    told = shown(tmp_path / "b", [SEEN, DONE], [], "status")
    assert "notify desk: 1 notice waiting" in told.stderr
    assert "followed" not in told.stderr
    plain = json.loads(shown(tmp_path / "c", [SEEN, DONE], [], "status", "--json").stdout)
    assert (plain["followed"], plain["notices_waiting"]) == ({"waiting": 0, "next_due": None}, {"desk": 1})


def status(**fields: Any) -> str:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    values: dict[str, Any] = {
        "version": "1", "started_at": now, "mailboxes": [], "webhooks": [], "items": {}, "oldest_open_age": None,
        "paused": None,
    }  # fmt: skip
    return status_page(Status(**values | fields), now)


def test_the_page_shows_it_where_it_is_used() -> None:
    """Both tables are there for those who follow events, and for nobody else."""
    assert "Follow-up" not in status()
    assert "Notices" not in status()
    page = status(follow_up=[{"followed": 7, "late_seconds": 0.5}], notices=[{"name": "desk", "waiting": 3}])
    for words in ("Follow-up", "late seconds", "Notices", "desk"):
        assert words in page
