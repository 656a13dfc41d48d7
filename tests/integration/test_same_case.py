"""One case by mail and by webhook, the whole way: real listeners, a mail server, the simulated ACD."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bridge.acd.simulator.faults import Fault, Kind
from bridge.acd.simulator.server import Simulator
from bridge.config.model import Config
from bridge.ledger.finding import find
from bridge.ledger.state import ItemState
from bridge.ledger.visit import look
from bridge.story import in_words, known_of, story
from bridge.testing.mail_server import MailServer
from tests.integration.test_whole_way import OPEN_DESK, post, ticket
from tests.wait import until
from tests.whole import bridge, config_of, duplicates, items, mail, mailbox, mails_watched, totals

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")
SAME_CASE = [{"sources": ["support", "desk"], "within": "15m"}]


def settings(folder: Path, acd: Simulator, mails: MailServer) -> Config:
    boxes = [mailbox("support", mails.port)]
    return config_of(folder, acd, mailboxes=boxes, webhooks=[OPEN_DESK], same_case=SAME_CASE)


async def test_both_at_the_same_time_make_one_event(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Ten cases by both ways at once: ten events, ten duplicates with both sources, whoever came first."""
    config = settings(tmp_path, acd, mails)
    async with bridge(config) as app:
        await until(lambda: mails_watched(config))
        for number in range(10):
            word = ticket(f"DH-{number}", message_id=f"<{number}@example.org>")
            await asyncio.gather(mails.deliver("support", mail(number)), post(app, word, f"m{number}"))
        await until(lambda: totals(config)["created"] + totals(config)["duplicate"] == 20)
    assert len(acd.events) == 10
    found = duplicates(config)
    assert len(found) == 10
    assert all({one.source, one.first_source} == {"support", "desk"} for one in found)
    assert {one.acd_event_id for one in found} == {event["ID"] for event in acd.events}


async def test_one_mail_in_two_mailboxes_that_belong_together(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Sent to both, it is one event; the next mail of the same sender is another one."""
    boxes = [mailbox(name, mails.port) for name in ("support", "sales")]
    config = config_of(tmp_path, acd, mailboxes=boxes, same_case=[{"sources": ["support", "sales"]}])
    async with bridge(config):
        await until(lambda: mails_watched(config))
        for name in ("support", "sales"):
            await mails.deliver(name, mail("both"))
        await mails.deliver("sales", mail("one"))
        await until(lambda: totals(config)["created"] + totals(config)["duplicate"] == 3)
    assert len(acd.events) == 2
    (found,) = duplicates(config)
    assert {found.source, found.first_source} == {"support", "sales"}


async def test_the_second_is_posted_where_the_acd_refuses_the_first(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """The first is a dead letter; the case still reaches the agents, and its story says how."""
    config = settings(tmp_path, acd, mails)
    acd.faults.add(Fault(kind=Kind.STATUS, status=503, path="/acd/events/create"))
    async with bridge(config) as app:
        await until(lambda: mails_watched(config))
        await mails.deliver("support", mail(1, subject="Help [Ticket#10081]"))
        await until(lambda: totals(config)["pending"] + totals(config)["sending"] == 1)
        await post(app, ticket("10081"), "m1")
        await until(lambda: totals(config)["duplicate"] == 1)
        acd.faults.clear()
        acd.faults.add(Fault(kind=Kind.STATUS, status=400, path="/acd/events/create", count=1))
        await until(lambda: totals(config)["created"] == 1)
    first, second = items(config)
    assert (first.state, second.state) == (ItemState.DEAD, ItemState.CREATED)
    assert len(acd.events) == 1
    (known,) = [look(config.state.path, partial(known_of, item=one)) for one in (second,)]
    assert any(f"item {first.key} of 'support' stands for it" in line for line in in_words(story(known)))
    assert {one.key for one in look(config.state.path, partial(find, words="10081"))} == {
        first.key,
        second.key,
    }
