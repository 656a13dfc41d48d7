"""One case that comes by two sources becomes one event, and nothing of it is lost."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.ledger import follow_ups, mail_actions, queries
from bridge.ledger.accepting import accept
from bridge.ledger.duplicates import newest, of_item, remove_old
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.forgetting import forget_items, holding
from bridge.ledger.item import NewItem, SameCase, Settlement, Stored
from bridge.ledger.ledger import Ledger
from bridge.ledger.operating import drop, release, retry
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.ledger.verify import violations
from bridge.reason import Reason
from tests.unit.ledger.making import created, dead, keys_of, new_item, uncertain, updated

SOURCES = frozenset({"support", "desk", "chat"})
WITHIN = 1000


def came(key: str, source: str = "support", *, at: int = 0, ticket: str = "7", **change: Any) -> NewItem:
    """An item of a case, as `support` and `desk` bring them."""
    plain: dict[str, Any] = {
        "received_at": at,
        "message": {"sender": "anna@example.org", "subject": "Printer", "ticket_number": ticket},
        "same_case": SameCase(sources=SOURCES - {source}, within=WITHIN),
    }
    kind = "ticket" if source == "desk" else "mail"
    item = new_item(key, source=source, kind=kind, conversation=f"ticket support {ticket}")
    return replace(item, **(plain | change))


def take(conn: sqlite3.Connection, *items: NewItem, now: int = 0) -> list[Stored]:
    return accept(conn, items, None, now=now)


def post(conn: sqlite3.Connection, end: Settlement, now: int = 1) -> list[str]:
    """Claim what is due, and let all of it end so."""
    claimed = claim(conn, 9, now=now)
    settle(conn, [(one, end) for one in claimed], now=now)
    return keys_of(claimed)


def state(conn: sqlite3.Connection, key: str) -> tuple[str, str]:
    item = queries.item(conn, key)
    return item.state.value, item.reason


def over(item_id: int, outcome: FollowUpOutcome = FollowUpOutcome.DONE) -> Looked:
    """A look that finds the event of an item at its end."""
    return Looked(
        item_id=item_id, due_at=9, steady=0, told=True, status=99, status_name="Done", outcome=outcome
    )


STANDS = ("duplicate", "same-case")


@pytest.mark.parametrize(("first", "second"), [("support", "desk"), ("desk", "support")])
def test_the_second_source_makes_no_event(conn: sqlite3.Connection, first: str, second: str) -> None:
    """Whichever came first stands for the other, which is never posted; both are on record."""
    take(conn, came("a", first))
    (stored,) = take(conn, came("b", second, at=WITHIN), now=5)
    assert (stored.state, stored.reason, stored.new) == (ItemState.DUPLICATE, Reason.SAME_CASE, True)
    assert state(conn, "b") == STANDS
    assert post(conn, created(70)) == ["a"]
    (found,) = newest(conn, 9)
    assert (found.kind, found.key, found.source, found.at) == ("same-case", "b", second, 5)
    assert (found.first_key, found.first_source, found.acd_event_id) == ("a", first, 70)
    assert violations(conn) == []


def test_two_in_one_batch(conn: sqlite3.Connection) -> None:
    """The decision sees what its own transaction has stored before."""
    assert [one.state for one in take(conn, came("a"), came("b", "desk"))] == ["pending", "duplicate"]


def test_the_setting_is_off_by_default(conn: sqlite3.Connection) -> None:
    """Without it each message of a ticket is an event, as a helpdesk's own words are."""
    take(conn, came("a"), came("b", "desk", same_case=None))
    assert state(conn, "b")[0] == "pending"


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ({"ticket": "8"}, 0),
        ({"same_case": SameCase(sources=frozenset({"chat"}), within=WITHIN)}, 0),
        ({"at": WITHIN + 1}, WITHIN + 1),
        ({"at": WITHIN + 1, "lane": 1}, 0),
        ({"message": {"sender": "anna@example.org"}}, 0),
        ({"state": ItemState.HELD, "reason": Reason.BURST}, 0),
        ({"state": ItemState.FILTERED, "reason": Reason.ROUTE_DROP}, 0),
        ({"state": ItemState.QUARANTINED, "event": None}, 0),
    ],
)
def test_what_is_not_the_same_case(conn: sqlite3.Connection, change: dict[str, Any], now: int) -> None:
    """Another ticket, another source, too late, old mail near in nothing but its reading, no name at all: a case of its
    own. What is not to be posted keeps its own state.
    """
    take(conn, came("a"))
    item = came("b", "desk", **change)
    take(conn, item, now=now)
    assert state(conn, "b")[0] == item.state


@pytest.mark.parametrize(
    "change", [{"at": 10 * WITHIN}, {"at": WITHIN, "lane": 1}], ids=["the bridge was down", "old mail"]
)
def test_either_time_may_be_near(conn: sqlite3.Connection, change: dict[str, Any]) -> None:
    """A source that was away, or the bridge, moves one of the two times; old mail counts by when it was received."""
    take(conn, came("a"))
    take(conn, came("b", "desk", **change), now=0 if "lane" not in change else 10 * WITHIN)
    assert state(conn, "b") == STANDS


def test_the_same_message_id_is_the_same_case(conn: sqlite3.Connection) -> None:
    """A customer's first mail has no ticket number yet; the helpdesk tells which mail it made the ticket of."""
    first = {"sender": "anna@example.org", "message_id": "m1@example.org"}
    take(conn, came("a", message=first, conversation="thread m1@example.org"))
    take(conn, came("b", "desk", message=first | {"ticket_number": "7"}))
    assert state(conn, "b") == STANDS


def test_each_message_has_its_own_other_half(conn: sqlite3.Connection) -> None:
    """A second mail of the case is no repeat: it stands for the second word of the helpdesk."""
    take(conn, came("mail1"), came("word1", "desk"), came("mail2"), came("word2", "desk"))
    assert [state(conn, key)[0] for key in ("mail1", "word1", "mail2", "word2")] == [
        "pending", "duplicate", "pending", "duplicate",
    ]  # fmt: skip
    assert [one.first_key for one in newest(conn, 9)] == ["mail2", "mail1"]
    take(conn, came("word3", "desk"), came("third", "chat"))
    assert state(conn, "word3")[0] == "pending"
    assert state(conn, "third") == STANDS


def test_the_message_id_tells_which_half(conn: sqlite3.Connection) -> None:
    """Of two mails of a ticket the one counts that the helpdesk names, not the older."""
    ids = [{"ticket_number": "7", "message_id": f"m{number}@example.org"} for number in (1, 2)]
    take(
        conn,
        came("mail1", message=ids[0]),
        came("mail2", message=ids[1]),
        came("word", "desk", message=ids[1]),
    )
    assert [one.first_key for one in newest(conn, 9)] == ["mail2"]


def test_found_again_changes_nothing(conn: sqlite3.Connection) -> None:
    """The same delivery once more is the same item, whichever half it is."""
    take(conn, came("a"), came("b", "desk"))
    again = take(conn, came("b", "desk"), came("a"))
    assert [(one.state, one.new) for one in again] == [("duplicate", False), ("pending", False)]
    assert len(newest(conn, 9)) == 1


@pytest.mark.parametrize("ended", ["dead", "dropped", "quarantined", "filtered"])
def test_what_ended_without_an_event_stands_for_nothing(conn: sqlite3.Connection, ended: str) -> None:
    """The second is posted where the first never will be."""
    before: dict[str, dict[str, Any]] = {
        "quarantined": {"state": ItemState.QUARANTINED, "event": None},
        "filtered": {"state": ItemState.FILTERED},
    }
    take(conn, came("a", **before.get(ended, {})))
    if ended == "dead":
        post(conn, dead())
    elif ended == "dropped":
        drop(conn, ["a"], "why", now=1)
    take(conn, came("b", "desk"))
    assert post(conn, created(7)) == ["b"]


@pytest.mark.parametrize("end", [created(7), updated(7)])
def test_a_delivered_one_stands_at_once(conn: sqlite3.Connection, end: Settlement) -> None:
    """The event is known when the second comes."""
    take(conn, came("a"))
    post(conn, end)
    take(conn, came("b", "desk"), now=2)
    assert state(conn, "b") == STANDS
    assert {one.acd_event_id for one in newest(conn, 9)} == {7}


def test_a_dead_one_is_replaced(conn: sqlite3.Connection) -> None:
    """The second is posted in its place, in its conversation's order, with a whole time of its own for retries."""
    take(conn, came("a"), came("b", "desk"), came("next"))
    assert post(conn, dead(), now=50) == ["a"]
    assert violations(conn) == []
    second = queries.item(conn, "b")
    assert (second.state, second.reason, second.accepted_at, second.tries) == ("pending", "same-case", 50, 0)
    assert "a" in second.detail
    assert post(conn, created(8), now=51) == ["b"]
    assert post(conn, created(9), now=52) == ["next"]
    assert newest(conn, 9) == []
    (told,) = of_item(conn, second.id)
    assert (told.first_key, told.over_at) == ("a", 50)
    assert violations(conn) == []


def test_the_next_of_three_takes_the_place(conn: sqlite3.Connection) -> None:
    """One event for the three, whichever of them is posted in the end."""
    take(conn, came("a"), came("b", "desk"), came("c", "chat"))
    assert post(conn, dead(), now=2) == ["a"]
    assert [(one.key, one.first_key) for one in newest(conn, 9)] == [("c", "b")]
    assert post(conn, dead(), now=3) == ["b"]
    assert post(conn, created(4), now=4) == ["c"]
    assert violations(conn) == []


def test_what_an_operator_gave_up_is_not_posted_behind_his_back(conn: sqlite3.Connection) -> None:
    """Its other half is held; it can be let go or dropped too."""
    take(conn, came("a"), came("b", "desk"), came("c"), came("d", "desk"))
    assert drop(conn, ["a", "c"], "spam", now=5) == {"a": True, "c": True}
    assert state(conn, "b") == state(conn, "d") == ("held", "same-case")
    assert violations(conn) == []
    assert release(conn, ["b"], now=6) == {"b": True}
    assert drop(conn, ["d"], "spam", now=6) == {"d": True}
    assert post(conn, created(7), now=7) == ["b"]
    assert violations(conn) == []


def test_an_operator_may_have_both(conn: sqlite3.Connection) -> None:
    """Where it was not the same case after all, the second is let go."""
    take(conn, came("a"), came("b", "desk"))
    assert release(conn, ["b"], now=5) == {"b": True}
    assert post(conn, created(1), now=5) == ["a"]
    assert post(conn, created(2), now=5) == ["b"]
    assert newest(conn, 9) == []
    assert violations(conn) == []


def test_a_retry_of_the_dead_one_is_its_own(conn: sqlite3.Connection) -> None:
    """What took its place stays what it is."""
    take(conn, came("a"), came("b", "desk"))
    post(conn, dead())
    post(conn, created(1), now=2)
    assert retry(conn, ["a"], now=3) == {"a": True}
    assert post(conn, dead(), now=3) == ["a"]
    assert state(conn, "b") == ("created", "")
    assert violations(conn) == []


def test_a_retry_brings_no_later_message_near(conn: sqlite3.Connection) -> None:
    """When an item was taken in does not change when its time for tries begins anew: what comes now is news."""
    take(conn, came("a"))
    post(conn, dead(), now=5)
    retry(conn, ["a"], now=9 * WITHIN)
    post(conn, created(1), now=9 * WITHIN)
    take(conn, came("b", "desk", at=9 * WITHIN), now=9 * WITHIN)
    assert state(conn, "b")[0] == "pending"


def test_uncertainty_is_no_end(conn: sqlite3.Connection) -> None:
    """While the first may have its event, the second waits."""
    take(conn, came("a"), came("b", "desk"))
    post(conn, uncertain())
    assert state(conn, "b") == STANDS
    assert claim(conn, 9, now=9) == []


def test_an_event_that_this_version_cannot_read(conn: sqlite3.Connection) -> None:
    """It is quarantined when it is claimed, and its other half is posted."""
    take(conn, came("a"), came("b", "desk"))
    conn.execute("""UPDATE items SET event = '{"colour": 1}' WHERE key = 'a'""")
    assert claim(conn, 9, now=1) == []
    assert post(conn, created(1), now=1) == ["b"]
    assert violations(conn) == []


def test_its_mail_is_done_with_like_one_that_was_posted(conn: sqlite3.Connection) -> None:
    """What is to be done after delivery is done with both halves, and not before there is an event."""
    mail_actions.set_sources(conn, ["support"], 0)
    take(conn, came("a", "desk"), came("b"))
    assert mail_actions.waiting(conn, "support") == 0
    post(conn, created(1))
    take(conn, came("c", "desk", ticket="9"))
    post(conn, created(2))
    take(conn, came("d", ticket="9"), now=5)
    items = [queries.item(conn, key).id for key in ("b", "d")]
    assert [one.item_id for one in mail_actions.due(conn, "support", 9, 9)] == items


@pytest.mark.parametrize("comes", ["before it is settled", "before it is done", "after it is done"])
@pytest.mark.parametrize("outcome", [FollowUpOutcome.DONE, FollowUpOutcome.ERROR])
def test_its_mail_waits_for_done_of_the_event_that_stands_for_it(
    conn: sqlite3.Connection, comes: str, outcome: FollowUpOutcome
) -> None:
    """Whenever it comes, what is to be done once the event is Done is done with the other half's event, once."""
    mail_actions.set_sources(conn, [], 0, when_done=["support"])
    follow_ups.set_routes(conn, [FollowedRoute(route="billing", notify=None)], first=1, longest=9, now=0)
    halves = [came("a", "desk", route="billing"), came("b")]
    take(conn, *(halves if comes == "before it is settled" else halves[:1]))
    post(conn, created(1))
    first, second = 1, 2
    if comes == "before it is done":
        take(conn, halves[1], now=2)
    assert mail_actions.state_of(conn, second) is None
    assert mail_actions.waits_for_done(conn, second) is (comes != "after it is done")
    follow_ups.record(conn, [over(first, outcome)], 5)
    assert not mail_actions.waits_for_done(conn, second)
    if comes == "after it is done":
        take(conn, halves[1], now=6)
    assert [one.item_id for one in mail_actions.due(conn, "support", 9, 9)] == (
        [second] if outcome is FollowUpOutcome.DONE else []
    )
    assert mail_actions.state_of(conn, first) is None


def test_a_released_mail_waits_for_its_own_event(conn: sqlite3.Connection) -> None:
    """What an operator has posted for itself has nothing to do with the end of the other half's event any more."""
    mail_actions.set_sources(conn, [], 0, when_done=["support"])
    follow_ups.set_routes(conn, [FollowedRoute(route="billing", notify=None)], first=1, longest=9, now=0)
    take(conn, came("a", "desk", route="billing"), came("b", route="billing"))
    post(conn, created(1))
    release(conn, ["b"], now=2)
    follow_ups.record(conn, [over(1)], 5)
    assert mail_actions.waiting(conn, "support") == 0
    post(conn, created(2), now=6)
    follow_ups.record(conn, [over(2)], 7)
    assert [one.item_id for one in mail_actions.due(conn, "support", 9, 9)] == [2]


def test_the_second_stays_while_the_first_may_fail(conn: sqlite3.Connection) -> None:
    """Retention takes nothing that may still have to be posted."""
    take(conn, came("a"), came("b", "desk"))
    assert remove_settled(conn, before=99) == 0
    post(conn, created(1))
    assert remove_settled(conn, before=99) == 2
    (kept,) = newest(conn, 9)
    assert (kept.key, kept.source, kept.first_key, kept.acd_event_id) == ("b", "desk", "a", 1)


def test_its_record_stays_while_the_first_may_fail(conn: sqlite3.Connection) -> None:
    """However short the time is that records are kept: only by them the second takes the place of the first."""
    take(conn, came("a"), came("b", "desk"))
    assert remove_old(conn, before=99) == 0
    post(conn, dead())
    assert post(conn, created(1), now=2) == ["b"]
    assert remove_old(conn, before=99) == 1


def test_a_forgotten_one_takes_no_place(conn: sqlite3.Connection) -> None:
    """What was taken out cannot be posted; it stays a duplicate, and its records name nobody."""
    take(conn, came("a"), came("b", "desk"))
    keys = holding(conn, "anna@example.org")
    assert forget_items(conn, (*keys.settled, *keys.open), now=5, drop_open=True).duplicates == 1
    assert state(conn, "a") == ("filtered", "operator-drop")
    assert state(conn, "b") == STANDS
    assert [(one.sender, one.subject, one.ticket_number) for one in newest(conn, 9)] == [("", "", "")]
    assert violations(conn) == []


async def test_both_at_once(path: Path) -> None:
    """However mailbox and webhook come together, each case is posted once: who is stored second sees the first."""
    ledger = await Ledger.open(path)
    halves = [
        came(f"{source}{number}", source, ticket=str(number))
        for number in range(50)
        for source in ("support", "desk")
    ]
    stored = await asyncio.gather(*(ledger.accept([one], None, now=1) for one in halves))
    await ledger.close()
    states = [sorted(one.state for pair in stored[at : at + 2] for one in pair) for at in range(0, 100, 2)]
    assert states == [["duplicate", "pending"]] * 50


def test_only_so_many_are_looked_at(conn: sqlite3.Connection) -> None:
    """A name that thousands share costs no more, and what is not found is posted."""
    take(conn, came("first"), *(came(f"m{number}", same_case=None) for number in range(60)))
    drop(conn, [f"m{number}" for number in range(60)], "why", now=0)
    take(conn, came("b", "desk"))
    assert state(conn, "b")[0] == "pending"
