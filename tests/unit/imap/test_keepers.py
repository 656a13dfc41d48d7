import asyncio
from typing import NoReturn

import pytest

from bridge.config.mailbox import Mailbox
from bridge.errors import StateFileError
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


async def ends(
    keeper: ConnectionKeeper | AfterDeliveryKeeper, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the keeper's step is being cancelled its tidying up fails; the keeper ends nevertheless."""
    begun = asyncio.Event()

    async def fails_when_cancelled() -> NoReturn:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            raise StateFileError("the disk is full")

    monkeypatch.setattr(keeper, step, fails_when_cancelled)
    task = asyncio.create_task(keeper.run())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


async def test_a_failure_at_the_end_does_not_keep_the_watching_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the stop with a full disk: what was being stored fails, and the mailbox is not connected anew."""
    await ends(ConnectionKeeper(MAILBOX, [], SignInGate(), times=SOON), "_serve", monkeypatch)


async def test_a_failure_at_the_end_does_not_keep_the_actions_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for what is done with mails after delivery."""
    actions = None
    keeper = AfterDeliveryKeeper(MAILBOX, actions, SignInGate(), times=SOON)  # type: ignore[arg-type] # never asked
    await ends(keeper, "_due", monkeypatch)
