import asyncio
from typing import NoReturn

import pytest

from bridge.config.mailbox import Mailbox
from bridge.intake.imap.after_delivery_keeper import AfterDeliveryKeeper
from bridge.intake.imap.keeper import ConnectionKeeper
from bridge.intake.imap.retry import RetryTimes, Waits
from bridge.intake.imap.sign_in_gate import SignInGate
from tests.wait import until

MAILBOX = Mailbox.model_validate({"name": "m", "host": "h", "username": "u", "password": "p"})
SOON = RetryTimes(outage=Waits(0.001, 0.001))


async def goes_on(
    keeper: ConnectionKeeper | AfterDeliveryKeeper, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This step of the keeper is cancelled again and again by what it waits for; then the keeper is really ended."""
    tries = 0

    async def cancelled() -> NoReturn:
        nonlocal tries
        tries += 1
        raise asyncio.CancelledError

    monkeypatch.setattr(keeper, step, cancelled)
    task = asyncio.create_task(keeper.run())
    await until(lambda: tries >= 3)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


async def test_a_cancelled_wait_does_not_end_the_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that was waited for was cancelled: the mailbox is connected anew. Only who ends the task ends it."""
    await goes_on(ConnectionKeeper(MAILBOX, [], SignInGate(), times=SOON), "_serve", monkeypatch)


async def test_a_cancelled_wait_does_not_end_the_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for what is done with mails after delivery."""
    actions = None
    keeper = AfterDeliveryKeeper(MAILBOX, actions, SignInGate(), times=SOON)  # type: ignore[arg-type] # never asked
    await goes_on(keeper, "_due", monkeypatch)
