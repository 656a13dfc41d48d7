"""The mails of a folder that match, where there are more than memory is spent on."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.intake.imap import backfill
from bridge.intake.imap.backfill import uids_matching
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.preview import preview
from bridge.intake.imap.selected import Selected
from bridge.testing.handover import FakeHandover
from tests.unit.imap.model_folder import Mail, ModelConnection, ModelFolder

UNSEEN = Mailbox.model_validate(
    {"name": "support", "host": "mail.example.org", "username": "u", "password": "p", "start": "unseen"}
)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "FIRST_LISTING", 4)
    monkeypatch.setattr(backfill, "MAX_LISTED", 10)


def folder_of(count: int) -> tuple[Connection, Selected]:
    folder = ModelFolder()
    for number in range(count):
        folder.add(Mail.made(f"mail-{number}", 1_700_000_000.0))
    return cast("Connection", ModelConnection(folder)), Selected(1, count + 1, count)


@pytest.mark.parametrize(
    ("count", "found", "unlisted"), [(0, 0, 0), (9, 9, 0), (10, 10, 0), (11, 10, 11), (99, 10, 11)]
)
async def test_it_says_from_where_on_it_did_not_look(count: int, found: int, unlisted: int) -> None:
    """Never more than the bound, the first ones, and 0 only where these are all."""
    matching = await uids_matching(*folder_of(count))
    assert (list(matching.uids), matching.unlisted) == (list(range(1, found + 1)), unlisted)


@pytest.mark.parametrize(("count", "told"), [(10, []), (30, [("error", 10, 11)])])
async def test_unseen_mail_that_is_left_out_is_told(count: int, told: list[object]) -> None:
    """At a first start with more unseen mails than are noted, the log says from which UID on they are left out."""
    connection, _ = folder_of(count)
    handover = FakeHandover()
    with capture_logs() as logs:
        await FolderWatch(UNSEEN, "INBOX", handover).look(connection)
    found = [one for one in logs if one["event"] == "unseen-mail-left-out"]
    assert [(one["log_level"], one["taken"], one["from_uid"]) for one in found] == told
    assert handover.orders["support", "INBOX"].uids == "1:10"


async def test_a_preview_counts_all_of_a_large_folder() -> None:
    """It is counted in parts, and nothing is left out."""
    cursor = FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=36, last_uid=35)

    def states_of(uids: Sequence[int]) -> Mapping[int, str]:
        return {uid: "created" for uid in uids if uid <= 5}

    counted = await preview(*folder_of(35), cursor, 0, states_of)
    assert (counted.found, counted.known) == (35, 5)
