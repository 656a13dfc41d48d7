"""How the bridge stands, in one line and in numbers."""

from datetime import UTC, datetime
from typing import Any

from bridge.web.status import Status


def mailbox(name: str, **folders: bool) -> dict[str, Any]:
    there = [{"folder": folder, "connected": connected} for folder, connected in folders.items()]
    return {"name": name, "host": "imap.example.org", "folders": there}


def status(**fields: Any) -> Status:
    values: dict[str, Any] = {
        "version": "1.2.3",
        "started_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "mailboxes": [mailbox("support", INBOX=True), mailbox("sales", INBOX=True)],
        "webhooks": [],
        "items": {},
        "oldest_open_age": None,
        "paused": None,
    }
    return Status(**{**values, **fields})


def test_the_line_of_a_good_day_is_short() -> None:
    """With nothing wrong the line tells mailboxes and waiting items only."""
    assert status().line() == "2/2 mailboxes connected; 0 waiting"


def test_the_line_tells_all_that_is_wrong() -> None:
    """Lost mailboxes, items that need a person, and the reason of a pause are in the line."""
    line = status(
        mailboxes=[mailbox("support", INBOX=True, Billing=False), mailbox("sales", INBOX=True)],
        items={"pending": 3, "uncertain": 1, "held": 2, "dead": 4, "created": 100},
        paused="acd-unauthorised",
    ).line()
    assert line == "1/2 mailboxes connected; 6 waiting; 2 held; 4 dead; paused: acd-unauthorised"


def test_a_bridge_of_webhooks_only_does_not_speak_of_mailboxes() -> None:
    """Where no mailbox is configured the line leaves them out."""
    assert status(mailboxes=[]).line() == "0 waiting"


def test_a_mailbox_counts_as_connected_when_all_its_folders_are() -> None:
    """One folder that is not watched is told, by mailbox and folder."""
    lost = status(
        mailboxes=[mailbox("support", INBOX=True, Billing=False), mailbox("sales", INBOX=False)]
    ).disconnected()
    assert lost == {"support": ["Billing"], "sales": ["INBOX"]}


def test_a_mailbox_that_does_not_say_counts_as_connected() -> None:
    """Only an explicit no is told as a lost connection."""
    assert status(mailboxes=[{"name": "support"}]).disconnected() == {}


def test_each_folder_is_a_row_with_its_mailbox() -> None:
    """The table has one row a folder; when it was last looked at is a time."""
    folder = {"folder": "INBOX", "connected": True, "last_look": 86400.0, "last_audit": 0}
    (row,) = status(mailboxes=[{"name": "support", "host": "h", "folders": [folder]}]).folders()
    assert row == {
        "name": "support",
        "host": "h",
        "folder": "INBOX",
        "connected": True,
        "last_look": datetime(1970, 1, 2, tzinfo=UTC),
        "last_audit": datetime(1970, 1, 1, tzinfo=UTC),
    }
