"""The whole bridge after an event was posted: its state in the ACD is followed, and those are told who shall be."""

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.acd.simulator.faults import Fault, Kind
from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.config.follow_up import FollowUp, Notify
from bridge.config.model import Config
from bridge.intake.imap import after_delivery_keeper
from bridge.ledger import follow_ups, mail_actions, notices
from bridge.ledger.follow_ups import FollowUpState
from bridge.ledger.notices import NoticeState
from bridge.ledger.visit import look
from bridge.reason import Reason
from tests.dovecot import Dovecot
from tests.integration.test_mail_after_delivery import subjects
from tests.integration.test_whole_way import OPEN_DESK, post, ticket
from tests.receiver import SECRET, Receiver, receiver
from tests.wait import until
from tests.whole import (
    MAILS,
    TICKETS,
    attempts,
    bridge,
    config_of,
    items,
    mail,
    mailbox,
    mails_watched,
    totals,
)

SCHEDULE = ((0.0, 20), (1000.0, 30), (2000.0, 99))
PURGED = 10_000.0
FAILS = Fault(kind=Kind.STATUS, status=503)
FORBIDS = Fault(kind=Kind.STATUS, status=401)


class Age:
    """The simulated ACD's clock: events get older when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.seconds


@pytest.fixture
def age() -> Age:
    return Age()


@pytest.fixture
async def acd(age: Age) -> AsyncIterator[Simulator]:
    """A simulated ACD whose events are New, then Seen, then Done, then purged, as the test makes them older."""
    running = await Simulator.start(Settings(schedule=SCHEDULE, purge_after=PURGED), clock=age)
    yield running
    await running.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part looks for its work without the pauses that it makes in service."""
    monkeypatch.setattr("bridge.delivery.follower.LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr("bridge.notify.notifier.LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr("bridge.notify.notice.FIRST_WAIT", 0.02)
    monkeypatch.setattr("bridge.delivery.follower.SLOW_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)


def followed(folder: Path, acd: Simulator, *, desk: Receiver | None = None, **more: Any) -> Config:
    """A configuration in which both routes follow their events, and tell the desk where there is one."""
    told = {"follow_up": True} | ({} if desk is None else {"notify": "desk"})
    config = config_of(folder, acd, webhooks=[OPEN_DESK], routes=[TICKETS | told, MAILS | told], **more)
    update: dict[str, Any] = {"follow_up": FollowUp(first=0.05, cap=0.1, rate=100)}
    if desk is not None:
        wanted = {"name": "desk", "url": desk.url, "secrets": [SECRET], "timeout": 2}
        update["notify"] = (Notify.model_validate(wanted),)
    return config.model_copy(update=update)


def state(config: Config, item_id: int = 1) -> FollowUpState | None:
    return look(config.state.path, partial(follow_ups.state_of, item_id=item_id))


def outcome(config: Config, item_id: int = 1) -> str:
    found = state(config, item_id)
    return "" if found is None else found.outcome


def notice(config: Config, item_id: int = 1) -> NoticeState | None:
    return look(config.state.path, partial(notices.state_of, item_id=item_id))


def looks(acd: Simulator) -> int:
    return sum(one["path"].count("/acd/events/event/") for one in acd.requests)


async def test_an_event_is_followed_until_it_is_done(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """New, Seen and Done are written down with the times that the ACD tells; then nothing is asked any more."""
    config = followed(tmp_path, acd)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: (one := state(config)) and one.new_at)
        assert (await app.status()).follow_up[0]["followed"] == 1
        assert app.alive()
        age.seconds += 1000
        await until(lambda: (one := state(config)) and one.seen_at)
        age.seconds += 1000
        await until(lambda: outcome(config) == "done")
        asked = looks(acd)
        await post(app, ticket("DH-2"), "m2")
        await until(lambda: outcome(config, 2) == "" and (one := state(config, 2)) and one.looks >= 3)
        assert [one["path"] for one in acd.requests].count("/rest/v1.0/1/acd/events/event/1001") == asked
    told, (item, _) = state(config), items(config)
    assert told is not None
    assert item.settled_at is not None
    assert told.new_at is not None
    assert told.seen_at is not None
    assert told.done_at is not None
    assert item.settled_at <= told.new_at <= told.seen_at <= told.done_at <= (told.ended_at or 0)


async def test_a_route_without_follow_up_asks_for_nothing(tmp_path: Path, acd: Simulator) -> None:
    """Who does not want it pays nothing for it."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1)
        assert (await app.status()).follow_up == []
    assert (state(config), looks(acd)) == (None, 0)


async def test_both_items_of_one_event_are_told(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """An `UPDATED` item went into the first one's event; both tickets hear of its end, each under an ID of its own."""
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await post(app, ticket("DH-1"), "m2")
            await until(lambda: totals(config)["updated"] == 1)
            age.seconds += 2000
            await until(lambda: len(desk.taken) == 2)
            await until(lambda: (one := notice(config, 2)) and one.outcome == "taken")
    assert {one["data"]["acd_result"] for one in desk.taken} == {"created", "updated"}
    assert len({one["id"] for one in desk.taken}) == 2
    assert {one["data"]["ticket_number"] for one in desk.taken} == {"DH-1"}


async def test_a_helpdesk_hears_when_its_event_is_done(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """One signed request that our own verifier believes, with the ticket's number and the times, and none before."""
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: (one := state(config)) and one.new_at)
            assert (notice(config), desk.tried) == (None, [])
            age.seconds += 2000
            await until(lambda: (one := notice(config)) and one.outcome == "taken")
            assert (await app.status()).notices == [{"name": "desk", "waiting": 0}]
    (told,), (item,) = desk.taken, items(config)
    assert (told["type"], told["id"]) == ("acd_event.done", f"{item.key}-done")
    data = told["data"]
    assert (data["ticket_number"], data["acd_event_id"], data["source"]) == (
        "DH-1",
        item.acd_event_id,
        "desk",
    )
    assert data["done_at"] == told["timestamp"]
    assert "bo@example.org" not in str(told)
    assert len(desk.tried) == 1


async def test_an_event_in_error_is_told_as_that(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """Error is the other end of an event; the type says so, and there is no time of Done."""
    object.__setattr__(acd.settings, "schedule", ((0.0, 20), (1000.0, 100)))
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: (one := state(config)) and one.new_at)
            age.seconds += 1000
            await until(lambda: desk.taken)
    assert outcome(config) == "error"
    assert (desk.taken[0]["type"], desk.taken[0]["data"]["done_at"]) == ("acd_event.error", None)


async def test_a_helpdesk_that_fails_for_a_while(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """It is asked again with the same ID until it answers 2xx, and posting goes on meanwhile."""
    async with receiver(statuses=[500, 429, 404, 302], headers={"Location": "/elsewhere"}) as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: totals(config)["created"] == 1)
            age.seconds += 2000
            await until(lambda: (one := notice(config)) and one.tries)
            await post(app, ticket("DH-2"), "m2")
            await until(lambda: totals(config)["created"] == 2)
            await until(lambda: (one := notice(config)) and one.outcome == "taken")
    assert len(desk.tried) == 5
    assert len(set(desk.tried)) == len(desk.taken) == 1
    assert desk.elsewhere == 0


async def test_a_helpdesk_that_was_down_over_a_restart(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """The notice is a row: it is sent after the next start, to a receiver that is there again by then."""
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1)
        age.seconds += 2000
        await until(lambda: (one := notice(config)) and one.tries)
    async with receiver(desk.port) as desk, bridge(config):
        await until(lambda: (one := notice(config)) and one.outcome == "taken")
    assert len(desk.taken) == 1


async def test_what_was_sent_and_not_written_down_is_sent_again_under_its_id(
    tmp_path: Path, acd: Simulator, age: Age
) -> None:
    """The bridge is stopped while the helpdesk has the notice and has not answered: at least once, by one ID."""
    async with receiver() as desk:
        desk.open.clear()
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: totals(config)["created"] == 1)
            age.seconds += 2000
            await until(lambda: desk.tried)
        found = notice(config)
        assert found is not None
        assert (found.outcome, found.tries) == ("", 0)
        desk.open.set()
        async with bridge(config):
            await until(lambda: (one := notice(config)) and one.outcome == "taken")
    assert len(desk.tried) == 2
    assert len(set(desk.tried)) == 1


async def test_a_helpdesk_that_never_answers_holds_nothing_up(
    tmp_path: Path, acd: Simulator, age: Age
) -> None:
    """Looks, posts and the notices to another receiver go on; the try ends after `notify.timeout`."""
    async with receiver() as slow, receiver() as quick:
        slow.open.clear()
        config = followed(tmp_path, acd, desk=slow)
        other = Notify.model_validate({"name": "quick", "url": quick.url, "secrets": [SECRET]})
        (wanted,) = config.notify
        mails = config.route[1].model_copy(update={"notify": "quick", "when": "true"})
        tickets = config.route[0].model_copy(update={"when": "ticket_number == 'DH-1'"})
        config = config.model_copy(
            update={
                "notify": (wanted.model_copy(update={"timeout": 0.3}), other),
                "route": (tickets, mails),
            }
        )
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await post(app, ticket("DH-2"), "m2")
            await until(lambda: totals(config)["created"] == 2)
            age.seconds += 2000
            await until(lambda: quick.taken)
            await until(lambda: (one := notice(config)) and one.tries)
    found = notice(config)
    assert found is not None
    assert found.detail == "no answer within 0.3 seconds"


async def test_a_wrong_secret_is_refused_and_tried_again(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """The receiver believes nothing that is signed with another secret; given the right one it is told."""
    async with receiver(secrets=["whsec_" + "A" * 32]) as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: totals(config)["created"] == 1)
            age.seconds += 2000
            await until(lambda: (one := notice(config)) and one.detail == "HTTP 401")
            assert desk.taken == []
            desk.secrets = [SECRET]
            await until(lambda: desk.taken)


async def test_a_restart_in_the_middle_of_following(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """What happened to the event while the bridge was down is seen after it, and told once."""
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: (one := state(config)) and one.new_at)
        before = state(config)
        age.seconds += 2000
        async with bridge(config):
            await until(lambda: (one := notice(config)) and one.outcome == "taken")
        async with bridge(config):
            await until(lambda: totals(config)["created"] == 1)
    after = state(config)
    assert before is not None
    assert after is not None
    assert (after.new_at, after.seen_at, after.outcome) == (before.new_at, None, "done")
    assert len(desk.tried) == 1


async def test_an_event_that_was_purged_ends_as_unknown(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """A 404 with JSON for its ID is the end: nobody is told, and it is not asked for again."""
    async with receiver() as desk:
        config = followed(tmp_path, acd, desk=desk)
        async with bridge(config) as app:
            await post(app, ticket("DH-1"), "m1")
            await until(lambda: (one := state(config)) and one.new_at)
            age.seconds += PURGED
            await until(lambda: outcome(config) == "unknown")
    told = state(config)
    assert told is not None
    assert told.status_name == "New"
    assert (notice(config), desk.tried) == (None, [])


async def test_the_time_of_following_runs_out(tmp_path: Path, acd: Simulator) -> None:
    """An event that nobody ends is given up, and the reason names its last state."""
    config = followed(tmp_path, acd)
    terms = config.follow_up.model_copy(update={"give_up_after": 0.3})
    config = config.model_copy(update={"follow_up": terms})
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: outcome(config) == "gave-up")
    told = state(config)
    assert told is not None
    assert told.detail.endswith("last: the event was New")


async def test_while_the_acd_is_down_nothing_is_looked_at(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """The gate is shut and an item waits to be posted: only its probes are sent. Afterwards the follow-up goes on."""
    config = followed(tmp_path, acd)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: (one := state(config)) and one.new_at)
        acd.faults.add(FAILS.model_copy(update={"path": "/acd/events/create"}))
        for number in range(8):
            await post(app, ticket(f"X-{number}"), f"x{number}")
        await until(lambda: app.parts.worker.paused == Reason.ACD_FAILED)
        probes = sum(one["method"] == "POST" for one in acd.requests)
        begun = looks(acd)
        await until(lambda: sum(one["method"] == "POST" for one in acd.requests) >= probes + 4, within=10)
        assert looks(acd) <= begun + 1  # the one that was under way
        age.seconds += 2000
        acd.faults.clear()
        await until(lambda: outcome(config) == "done", within=10)
        await until(lambda: totals(config)["created"] == 9, within=10)
    assert len(attempts(config, items(config)[0])) == 1


@pytest.mark.parametrize("fault", [FAILS, FORBIDS, Fault(kind=Kind.DROP)])
async def test_an_acd_that_fails_while_there_is_nothing_to_post(
    tmp_path: Path, acd: Simulator, age: Age, fault: Fault
) -> None:
    """Looks pause for a while by themselves; no event is given up for it, and no attempt of an item is used up."""
    config = followed(tmp_path, acd)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: (one := state(config)) and one.new_at)
        acd.faults.add(fault)
        begun = len(acd.requests)
        await until(lambda: len(acd.requests) >= begun + 3)
        assert outcome(config) == ""
        age.seconds += 2000
        acd.faults.clear()
        await until(lambda: outcome(config) == "done")
    (item,) = items(config)
    assert (item.state, len(attempts(config, item))) == ("created", 1)


async def test_many_events_are_read_from_the_list(tmp_path: Path, acd: Simulator, age: Age) -> None:
    """Where more are due at once than the list costs, as after a longer stop, one reading serves all of them."""
    config = followed(tmp_path, acd)
    patient = config.model_copy(update={"follow_up": FollowUp(first=600)})
    async with bridge(patient) as app:
        for number in range(60):
            await post(app, ticket(f"DH-{number}"), f"m{number}")
        await until(lambda: totals(config)["created"] == 60)
    assert looks(acd) == 0
    age.seconds += 2000
    async with bridge(config):
        await until(lambda: all(outcome(config, one) == "done" for one in range(1, 61)))
    assert sum(one["path"].endswith("/acd/events") for one in acd.requests) == 1
    assert looks(acd) == 0


async def test_a_route_that_is_taken_out_of_the_configuration(tmp_path: Path, acd: Simulator) -> None:
    """What was followed for it is cancelled at the next start."""
    config = followed(tmp_path, acd)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: (one := state(config)) and one.new_at)
    async with bridge(config_of(tmp_path, acd, webhooks=[OPEN_DESK])):
        assert outcome(config) == "cancelled"


@pytest.mark.dovecot
async def test_a_mail_is_moved_once_its_event_is_done(
    shared_dovecot: Dovecot, tmp_path: Path, acd: Simulator, age: Age
) -> None:
    """With `when = "done"` the settlement leaves the mail where it is; the end of its event moves it."""
    user = "whole-when-done"
    shared_dovecot.make_folder(user, "Done")
    wanted = {"action": "move", "folder": "Done", "when": "done"}
    config = followed(tmp_path, acd, mailboxes=[mailbox(user, shared_dovecot.port, after_delivery=wanted)])
    async with bridge(config):
        await until(partial(mails_watched, config))
        shared_dovecot.append(user, mail(1))
        await until(lambda: (one := state(config)) and one.looks >= 2)
        assert look(config.state.path, partial(mail_actions.state_of, item_id=1)) is None
        with shared_dovecot.client(user) as client:
            assert (subjects(client, "INBOX"), subjects(client, "Done")) == (1, 0)
        age.seconds += 2000
        await until(
            lambda: (
                (told := look(config.state.path, partial(mail_actions.state_of, item_id=1)))
                and told.outcome == "done"
            ),
            within=10,
        )
    with shared_dovecot.client(user) as client:
        assert (subjects(client, "INBOX"), subjects(client, "Done")) == (0, 1)


@pytest.mark.dovecot
async def test_a_mail_whose_event_is_purged_stays(
    shared_dovecot: Dovecot, tmp_path: Path, acd: Simulator, age: Age
) -> None:
    """Only Done asks for the action; what nobody knows leaves the mail alone, with `keyword` as with all others."""
    user = "whole-when-done-purged"
    wanted = {"action": "keyword", "keyword": "ACD", "when": "done"}
    config = followed(tmp_path, acd, mailboxes=[mailbox(user, shared_dovecot.port, after_delivery=wanted)])
    async with bridge(config):
        await until(partial(mails_watched, config))
        shared_dovecot.append(user, mail(1))
        await until(lambda: (one := state(config)) and one.looks)
        age.seconds += PURGED
        await until(lambda: outcome(config) == "unknown")
    assert look(config.state.path, partial(mail_actions.state_of, item_id=1)) is None
