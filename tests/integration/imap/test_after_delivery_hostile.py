"""What becomes of actions on mails where the server does it wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.config.mailbox import Mailbox
from bridge.intake.imap import after_delivery_keeper
from bridge.intake.imap.after_delivery_folder import ANOTHER, NOT_TOLD
from bridge.intake.imap.after_delivery_keeper import AfterDeliveryKeeper
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.ledger.item import NewItem
from bridge.ledger.ledger import Ledger
from bridge.ledger.mail_actions import ActionState, state_of
from bridge.ledger.visit import look
from tests.integration.imap.conftest import QUICK
from tests.integration.imap.hostile import CAME, HostileServer, as_fields, fetch_line, hostile
from tests.unit.ledger.making import created, new_item
from tests.wait import until

CHANGING = ("UID STORE", "UID COPY", "UID MOVE", "UID EXPUNGE")
SELECTED = (
    b"* 30 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted)] kept\r\n"
    b"TAG OK done\r\n"
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)


def settled(uid: int) -> NewItem:
    """The item of a mail at this UID."""
    item = new_item(f"item{uid}", place=f"INBOX/7/{uid}", received_at=CAME)
    return replace(item, message={**item.message, "message_id": f"{uid}@example.org"})


@asynccontextmanager
async def keeping(path: Path, server: HostileServer, **wanted: str) -> AsyncIterator[None]:
    """A keeper at work on the mails of the server, all of whose events are settled."""
    ledger = await Ledger.open(path)
    await ledger.mail_actions.set_sources(["support"], now=1)
    await ledger.accept([settled(uid) for uid in server.uids], None, now=10)
    claimed = await ledger.turn([], len(server.uids), now=20)
    await ledger.turn([(one, created(one.id)) for one in claimed], 0, now=30)
    settings = {"name": "support", "host": "127.0.0.1", "port": server.port, "username": "u", "password": "p"}
    box = Mailbox.model_validate(
        {**settings, "security": "none", "timeout": 2, "after_delivery": wanted or {"action": "seen"}}
    )
    task = asyncio.create_task(AfterDeliveryKeeper(box, ledger.mail_actions, SignInGate(), times=QUICK).run())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ledger.close()


def states(path: Path, server: HostileServer) -> list[ActionState]:
    found = (look(path, partial(state_of, item_id=item)) for item in range(1, len(server.uids) + 1))
    return [state for state in found if state is not None]


async def test_a_mail_that_breaks_the_connection_does_not_keep_the_others(tmp_path: Path) -> None:
    """One mail whose action ends the connection each time is found and put off; all others get theirs."""
    path = tmp_path / "state.db"
    async with hostile(uids=list(range(1, 31)), uidnext=31) as server:
        server.override["SELECT"] = lambda _: SELECTED
        server.override["UID STORE"] = lambda rest: (
            None if 12 in server._in(rest.decode().split(" ")[2]) else b"TAG OK done\r\n"
        )
        async with keeping(path, server):
            await until(lambda: sum(one.outcome == "done" for one in states(path, server)) == 29, within=10)
        (left,) = [one for one in states(path, server) if one.ended_at is None]
        assert left.tries >= 1
        assert "closed the connection" in left.detail


async def test_a_mail_that_is_not_told_at_first(tmp_path: Path) -> None:
    """A mail that the server leaves out once is still there, and gets its action."""
    path = tmp_path / "state.db"
    async with hostile(uids=[1, 2, 3], uidnext=4) as server:
        left_out = [2]

        def fetch(rest: bytes) -> bytes:
            asked = server._in(rest.decode().split(" ")[2])
            if left_out:
                asked.remove(left_out.pop())
            return as_fields(b"".join(fetch_line(uid) for uid in asked)) + b"TAG OK done\r\n"

        server.override["SELECT"] = lambda _: SELECTED
        server.override["UID FETCH"] = fetch
        async with keeping(path, server):
            await until(lambda: all(one.ended_at is not None for one in states(path, server)))
        assert [one.outcome for one in states(path, server)] == ["done"] * 3


@pytest.mark.parametrize(
    "other",
    [
        fetch_line(2, b"Message-ID: <new@example.org>\r\n\r\n", minute=59),
        fetch_line(2, b"Message-ID: <new@example.org>\r\n\r\n"),
        fetch_line(2, b"\r\n"),
        fetch_line(2, minute=59),
    ],
    ids=["later", "same-time", "without-message-id", "same-message-id"],
)
@pytest.mark.parametrize(
    "wanted", [{"action": "seen"}, {"action": "delete"}, {"action": "move", "folder": "Done"}], ids=str
)
@pytest.mark.parametrize("able", [b"IMAP4rev1 UIDPLUS MOVE", b"IMAP4rev1"], ids=["modern", "old"])
async def test_a_uid_that_means_another_mail(
    tmp_path: Path, wanted: dict[str, str], able: bytes, other: bytes
) -> None:
    """A server that gives a UID a second time, as one restored from a backup: the mail that has it now is left alone,
    the action ends, and the others get theirs.
    """
    path = tmp_path / "state.db"
    async with hostile(uids=[1, 2, 3], uidnext=4, capabilities=able) as server:
        server.override["SELECT"] = lambda _: SELECTED
        server.fetched = lambda uid: other if uid == 2 else fetch_line(uid)
        with capture_logs() as logs:
            async with keeping(path, server, **wanted):
                await until(lambda: any(one["event"] == "mail-is-another-one" for one in logs))
        changing = [one.split(" ") for one in server.commands if one.startswith(CHANGING)]
        first, second, third = states(path, server)
        assert changing
        assert not [words for words in changing if 2 in server._in(words[2])]
    assert {first.outcome, third.outcome} < {"done", "marked-deleted"}
    assert (second.outcome, second.detail) == ("vanished", ANOTHER)
    told = [one for one in logs if one["event"] == "mail-is-another-one"]
    assert [(one["log_level"], one["count"]) for one in told] == [("error", 1)]


async def test_a_mail_of_which_too_little_is_told(tmp_path: Path) -> None:
    """Where nobody knows whether it is the delivered mail, it stays as it is and is tried again."""
    path = tmp_path / "state.db"
    async with hostile(uids=[1, 2, 3], uidnext=4) as server:
        server.override["SELECT"] = lambda _: SELECTED
        server.fetched = lambda uid: b"* 2 FETCH (UID 2 RFC822.SIZE 500)\r\n" if uid == 2 else fetch_line(uid)
        async with keeping(path, server):
            await until(lambda: states(path, server)[1].tries >= 1)
        first, second, third = states(path, server)
    assert [first.outcome, second.ended_at, third.outcome] == ["done", None, "done"]
    assert second.detail == NOT_TOLD
