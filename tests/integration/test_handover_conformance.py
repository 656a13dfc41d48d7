"""One suite for the handover that ships for tests and for the real one: both promise the intake the same."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.accept import Acceptance
from bridge.config.route import Route
from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.intake.handover import Handover, Unreadable
from bridge.ledger.ledger import Ledger
from bridge.message import Kind, Message
from bridge.routing.compile import compile_routes
from bridge.testing.handover import FakeHandover


@pytest.fixture(params=["fake", "real"])
async def handover(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Handover]:
    if request.param == "fake":
        yield FakeHandover(wants_text_of=lambda message: message.subject == "read me")
        return
    wants = {"name": "text", "when": "subject == 'read me' and 'x' in text", "event": {"type": 5, "group": 1}}
    other = {"name": "all", "event": {"type": 5, "group": 1}}
    router, problems = compile_routes([Route.model_validate(one) for one in (wants, other)])
    assert problems == []
    ledger = await Ledger.open(tmp_path / "state.db")
    yield Acceptance(router, ledger, clock=lambda: 1.0, knock=lambda: None)
    await ledger.close()


def message(digest: str, **more: Any) -> Message:
    plain: dict[str, Any] = {
        "source": "support",
        "kind": Kind.MAIL,
        "folder": "INBOX",
        "place": f"INBOX/1/{digest}",
    }
    return Message(**(plain | {"digest": digest, "received_at": datetime.now(UTC)} | more))


def cursor(last_uid: int) -> FolderCursor:
    return FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=last_uid)


async def test_a_cursor_is_what_was_stored_last(handover: Handover) -> None:
    """An unknown folder has none; a cursor may be stored without messages, and is replaced by the next."""
    assert await handover.cursor("support", "INBOX") is None
    assert await handover.accept([], cursor(3)) == []
    await handover.accept([message("a")], cursor(4))
    stored = await handover.cursor("support", "INBOX")
    assert stored is not None
    assert (stored.uidvalidity, stored.baseline, stored.last_uid) == (1, 1, 4)


async def test_there_is_a_receipt_for_each_in_order_and_known_ones_are_not_new(handover: Handover) -> None:
    """The same source, folder and digest is the same message, also within one call; another source is not."""
    first = await handover.accept([message("a"), message("b"), message("a")])
    assert [one.new for one in first] == [True, True, False]
    assert first[0].key == first[2].key != first[1].key
    again = await handover.accept([message("a", source="sales"), message("b")])
    assert [one.new for one in again] == [True, False]


async def test_what_cannot_be_read_is_taken_as_well(handover: Handover) -> None:
    """An unreadable message gets a receipt and stops nobody."""
    unreadable = Unreadable(
        source="support", kind=Kind.MAIL, place="INBOX/1/9", digest="u", received_at=datetime.now(UTC),
        detail="why", folder="INBOX",
    )  # fmt: skip
    receipts = await handover.accept([unreadable, message("a")])
    assert [one.new for one in receipts] == [True, True]


async def test_text_is_wanted_only_where_it_decides(handover: Handover) -> None:
    """The intake fetches no text that nobody looks at."""
    assert handover.wants_text(message("a", subject="read me")) is True
    assert handover.wants_text(message("a", subject="other")) is False


async def test_a_failure_stores_nothing(tmp_path: Path) -> None:
    """Where the state file fails, neither message nor cursor is kept, by the real one and by the fake."""

    async def fail() -> None:
        raise StateFileError("the disk is full")

    fake = FakeHandover(before_accept=fail)
    router, _ = compile_routes([Route.model_validate({"name": "all", "event": {"type": 5, "group": 1}})])
    ledger = await Ledger.open(tmp_path / "state.db")
    real = Acceptance(router, ledger, clock=lambda: 1.0, knock=lambda: None)
    await ledger.close()
    for one in (fake, real):
        with pytest.raises(StateFileError):
            await one.accept([message("a")], cursor(1))
    assert fake.cursors == {}
    assert fake.accepted == []
