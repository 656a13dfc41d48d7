"""What becomes of actions on mails where the server does it wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bridge.config.mailbox import Mailbox
from bridge.intake.imap import after_delivery_keeper
from bridge.intake.imap.after_delivery_keeper import AfterDeliveryKeeper
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.ledger.ledger import Ledger
from bridge.ledger.mail_actions import ActionState, state_of
from bridge.ledger.visit import look
from tests.integration.imap.conftest import QUICK
from tests.integration.imap.hostile import HostileServer, fetch_line, hostile
from tests.unit.ledger.making import created, new_item
from tests.wait import until

SELECTED = (
    b"* 30 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [PERMANENTFLAGS (\\Seen)] kept\r\nTAG OK done\r\n"
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)


@asynccontextmanager
async def keeping(path: Path, server: HostileServer) -> AsyncIterator[None]:
    """A keeper at work on the mails of the server, all of whose events are settled."""
    ledger = await Ledger.open(path)
    await ledger.mail_actions.set_sources(["support"], now=1)
    items = [new_item(f"item{uid}", place=f"INBOX/7/{uid}") for uid in server.uids]
    await ledger.accept(items, None, now=10)
    claimed = await ledger.turn([], len(items), now=20)
    await ledger.turn([(one, created(one.id)) for one in claimed], 0, now=30)
    settings = {"name": "support", "host": "127.0.0.1", "port": server.port, "username": "u", "password": "p"}
    box = Mailbox.model_validate(
        {**settings, "security": "none", "timeout": 2, "after_delivery": {"action": "seen"}}
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
            return b"".join(fetch_line(uid) for uid in asked) + b"TAG OK done\r\n"

        server.override["SELECT"] = lambda _: SELECTED
        server.override["UID FETCH"] = fetch
        async with keeping(path, server):
            await until(lambda: all(one.ended_at is not None for one in states(path, server)))
        assert [one.outcome for one in states(path, server)] == ["done"] * 3
