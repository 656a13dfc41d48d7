"""First starts other than `now`, and orders to read old mail, against both mail servers."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.history import HistoryOrder
from bridge.intake.imap import backfill
from bridge.message import Noticed
from bridge.testing.handover import FakeHandover
from tests.dovecot import Dovecot
from tests.integration.imap.conftest import MailHost, mail, watching
from tests.wait import until

DAY = 86_400.0


def order_of(handover: FakeHandover, folder: str = "INBOX") -> HistoryOrder | None:
    return handover.orders.get(("support", folder))


def is_done(handover: FakeHandover) -> bool:
    order = order_of(handover)
    return order is not None and order.ended


async def test_all_is_history_below_the_baseline(mail_host: MailHost) -> None:
    """What was there is read as history, oldest first; the folder is whole from UID 1 on then."""
    await mail_host.deliver(*(f"old-{number}" for number in range(30)))
    handover = FakeHandover()
    async with watching(mail_host.mailbox(start="all"), handover) as watched:
        await watched.has(*(f"old-{number}" for number in range(30)))
        await until(lambda: is_done(handover))
        await mail_host.deliver("live")
        await until(lambda: "live" in handover.subjects())
        cursor = handover.cursors["support", "INBOX"]
        assert cursor.baseline == 1
        await until(lambda: watched.folder()["history"].startswith("done"))
    assert handover.noticed[:30] == [Noticed.BACKFILL] * 30
    assert handover.noticed[30] is not Noticed.BACKFILL


async def test_unseen_is_a_snapshot(mail_host: MailHost) -> None:
    """What was unseen at the first start is read once, though it is read by people before a crash is over."""
    await mail_host.deliver("seen-1", "unseen-1", "seen-2", "unseen-2")
    await mail_host.mark_seen(1, 3)
    handover = FakeHandover()

    async def fail() -> None:
        if handover.cursors and not gate.is_set():
            await gate.wait()

    gate = asyncio.Event()
    handover.before_accept = fail
    async with watching(mail_host.mailbox(start="unseen"), handover):
        await until(lambda: ("support", "INBOX") in handover.cursors)
    assert handover.accepted == []
    await mail_host.mark_seen(2, 4)
    gate.set()
    async with watching(mail_host.mailbox(start="unseen"), handover) as watched:
        await watched.has("unseen-1", "unseen-2")
        await until(lambda: is_done(handover))
    assert handover.subjects() == ["unseen-1", "unseen-2"]


@pytest.mark.dovecot
async def test_a_date_is_decided_by_internaldate(dovecot: Dovecot) -> None:
    """To the second, and not by the order of UIDs, which need not be that of the dates."""
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    for name, moment in [
        ("after", midnight + timedelta(days=1)),
        ("long-before", midnight - timedelta(days=9)),
        ("just-before", midnight - timedelta(seconds=1)),
        ("just-then", midnight),
    ]:
        dovecot.drop("anna", mail(name), received_at=moment.timestamp())
    host = MailHost(dovecot.host, dovecot.port, "anna")
    handover = FakeHandover()
    async with watching(host.mailbox(start="2026-11-01"), handover):
        await until(lambda: is_done(handover))
    assert sorted(handover.subjects()) == ["after", "just-then"]


async def test_a_crash_before_the_baseline_loses_no_order(mail_host: MailHost) -> None:
    """The order is on disk before the baseline; where only the order is, both are made anew."""
    await mail_host.deliver("one")
    handover = FakeHandover()
    handover.orders["support", "INBOX"] = HistoryOrder(
        source="support", folder="INBOX", uidvalidity=1, next_uid=1, last_uid=0
    )
    async with watching(mail_host.mailbox(start="all"), handover) as watched:
        await watched.has("one")


async def test_an_order_is_gone_on_with_after_a_restart(mail_host: MailHost) -> None:
    """From the UID where it was, with nothing read twice."""
    await mail_host.deliver(*(f"m{number}" for number in range(10)))
    handover = FakeHandover()
    async with watching(mail_host.mailbox(), handover) as watched:
        await watched.looked()
    cursor = handover.cursors["support", "INBOX"]
    handover.orders["support", "INBOX"] = HistoryOrder(
        source="support",
        folder="INBOX",
        uidvalidity=cursor.uidvalidity,
        next_uid=cursor.baseline - 4,
        last_uid=cursor.baseline - 1,
    )
    async with watching(mail_host.mailbox(), handover) as watched:
        await watched.has("m6", "m7", "m8", "m9")
        await until(lambda: is_done(handover))


async def test_an_order_is_taken_up_while_watching(mail_host: MailHost) -> None:
    """Within a poll, up to the baseline and no further, so that live mail is not read twice."""
    await mail_host.deliver("old")
    handover = FakeHandover()
    async with watching(mail_host.mailbox(poll=1), handover) as watched:
        await watched.looked()
        await mail_host.deliver("live")
        await watched.has("live")
        handover.orders["support", "INBOX"] = HistoryOrder(source="support", folder="INBOX", since=0)
        await until(lambda: is_done(handover))
    assert handover.subjects() == ["live", "old"]
    assert len(handover.receipts) == 2


async def test_live_mail_comes_between_the_windows_of_history(
    mail_host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long history does not keep a live mail waiting until its end."""
    monkeypatch.setattr(backfill, "WINDOW", 4)
    monkeypatch.setattr(backfill, "WINDOWS_A_TURN", 1)
    await mail_host.deliver(*(f"m{number}" for number in range(40)))
    handover = FakeHandover()
    delivered = asyncio.Event()

    async def deliver() -> None:
        order = order_of(handover)
        if handover.cursors and order and order.next_uid > 5 and not delivered.is_set():
            delivered.set()
            await mail_host.deliver("live")

    handover.before_accept = deliver
    async with watching(mail_host.mailbox(start="all"), handover):
        await until(lambda: is_done(handover), within=15)
    subjects = handover.subjects()
    assert "live" in subjects
    assert subjects.index("live") < len(subjects) - 10


@pytest.mark.dovecot
async def test_a_folder_numbered_anew_while_its_history_is_read(dovecot: Dovecot) -> None:
    """The order begins anew below the new baseline; a snapshot of unseen mails ends, and says why."""
    for number in range(3):
        dovecot.drop("anna", mail(f"old-{number}"), received_at=time.time() - (30 - number) * DAY)
    host = MailHost(dovecot.host, dovecot.port, "anna")
    handover = FakeHandover()
    async with watching(host.mailbox(), handover) as watched:
        await watched.looked()
    cursor = handover.cursors["support", "INBOX"]
    order = HistoryOrder(
        source="support", folder="INBOX", uidvalidity=cursor.uidvalidity - 1, next_uid=3, last_uid=3
    )
    handover.orders["support", "INBOX"] = order
    async with watching(host.mailbox(), handover) as watched:
        await watched.has("old-0", "old-1", "old-2")
    handover.orders["support", "INBOX"] = replace(order, uids="1:3", ended=False)
    async with watching(host.mailbox(), handover):
        await until(lambda: is_done(handover))
    ended = order_of(handover)
    assert ended is not None
    assert "unseen" in ended.words
