"""One event for the copies of a letter, in the state file."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.ledger import follow_ups, mail_actions, queries
from bridge.ledger.accepting import accept
from bridge.ledger.duplicates import newest, of_item, repeated_events
from bridge.ledger.file import APPLICATION_ID, migrations, open_for_writing
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.item import NewItem, SameCase
from bridge.ledger.operating import drop, release
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from bridge.ledger.verify import violations
from bridge.reason import Reason
from tests.unit.ledger.making import DRAFT, created, dead, keys_of, new_item

BEFORE = 6
"""The schema's version in which a copy named the other one in words only."""
EVENT = orjson.dumps(DRAFT.as_dict()).decode()


def copy(key: str, state: ItemState = ItemState.PENDING, letter: str = "l") -> NewItem:
    return replace(new_item(key, state=state), letter=letter)


def states(conn: sqlite3.Connection, *items: NewItem, now: int = 5) -> list[ItemState]:
    return [one.state for one in accept(conn, items, None, now=now)]


def stands_for(conn: sqlite3.Connection, key: str) -> str | None:
    """The key of the item that stands for this one."""
    (found,) = of_item(conn, queries.item(conn, key).id)
    return found.first_key


def other_half(key: str, source: str = "desk", **change: Any) -> NewItem:
    """An item of the same case as each other one that this makes, whose source brings the cases of others."""
    case = SameCase(sources=frozenset({"support", "desk"}) - {source}, within=9)
    return replace(copy(key), source=source, same_case=case, **change)


def test_the_second_copy_is_a_duplicate(conn: sqlite3.Connection) -> None:
    """It is an item of its own that names the first, is settled, and is not posted; also within one batch."""
    assert states(conn, copy("a"), copy("b")) == [ItemState.PENDING, ItemState.DUPLICATE]
    second = queries.item(conn, "b")
    assert (second.reason, second.settled_at) == (Reason.SAME_LETTER, 5)
    assert stands_for(conn, "b") == "a"
    assert keys_of(claim(conn, 9, now=9)) == ["a"]


def test_another_letter_is_not_one(conn: sqlite3.Connection) -> None:
    """Neither a different letter nor items without one are copies of anything."""
    plain = [new_item("c"), new_item("d")]
    assert set(states(conn, copy("a"), copy("b", letter="m"), *plain)) == {ItemState.PENDING}


def test_the_same_item_is_no_copy_of_itself(conn: sqlite3.Connection) -> None:
    """A mail that is read again after a crash stays what it was."""
    accept(conn, [copy("a")], None, now=5)
    (again,) = accept(conn, [copy("a")], None, now=6)
    assert (again.state, again.new) == (ItemState.PENDING, False)


def test_a_delivered_one_stands_for_later_copies(conn: sqlite3.Connection) -> None:
    """A mail that is moved after its event was created makes no second one."""
    accept(conn, [copy("a")], None, now=5)
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    assert states(conn, copy("b"), copy("c")) == [ItemState.DUPLICATE] * 2


def test_what_made_no_event_stands_for_nothing(conn: sqlite3.Connection) -> None:
    """A mail that a route dropped in the junk folder, or that the ACD refused, is posted where it is found again."""
    assert states(conn, copy("junk", ItemState.FILTERED), copy("rescued")) == [
        ItemState.FILTERED,
        ItemState.PENDING,
    ]
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, dead())], now=6)
    assert states(conn, copy("again"), copy("more")) == [ItemState.PENDING, ItemState.DUPLICATE]
    assert stands_for(conn, "more") == "again"


def test_a_dropped_one_stands_for_nothing(conn: sqlite3.Connection) -> None:
    """What an operator dropped before it was posted does not keep a later copy back."""
    accept(conn, [copy("a")], None, now=5)
    drop(conn, ["a"], "by mistake", now=6)
    assert states(conn, copy("b")) == [ItemState.PENDING]


def test_a_copy_of_a_held_one_waits_with_it(conn: sqlite3.Connection) -> None:
    """Nothing of what an operator must look at is posted by another way."""
    assert states(conn, copy("a", ItemState.HELD), copy("b", ItemState.HELD), copy("c")) == [
        ItemState.HELD,
        ItemState.DUPLICATE,
        ItemState.DUPLICATE,
    ]


def test_a_copy_can_be_released(conn: sqlite3.Connection) -> None:
    """An operator who wants an event for it after all gets one."""
    accept(conn, [copy("a"), copy("b")], None, now=5)
    assert release(conn, ["b"], now=6) == {"b": True}
    assert set(keys_of(claim(conn, 9, now=9))) == {"a", "b"}


def test_a_copy_of_another_halfs_mail_makes_no_event(conn: sqlite3.Connection) -> None:
    """Where the helpdesk's message stands for a mail, it stands for the copies of that mail as well."""
    ticket = other_half("a", kind="ticket", letter="")
    halves = [ticket, *(other_half(key, "support") for key in ("b", "c"))]
    assert states(conn, *halves) == [ItemState.PENDING, ItemState.DUPLICATE, ItemState.DUPLICATE]
    assert (queries.item(conn, "c").reason, stands_for(conn, "c")) == (Reason.SAME_LETTER, "a")
    (claimed,) = claim(conn, 9, now=5)
    settle(conn, [(claimed, dead())], now=6)
    assert keys_of(claim(conn, 9, now=6)) == ["b"]
    assert stands_for(conn, "c") == "b"
    assert violations(conn) == []


def test_the_other_half_that_takes_a_mails_place_takes_its_letter(conn: sqlite3.Connection) -> None:
    """One event is made of mail, copies and ticket, also where a copy comes after the mail was refused."""
    mails = [other_half(key, "support") for key in ("a", "b")]
    states(conn, *mails, other_half("c", kind="ticket", letter=""))
    (claimed,) = claim(conn, 9, now=5)
    settle(conn, [(claimed, dead())], now=6)
    assert states(conn, other_half("d", "support"), now=7) == [ItemState.DUPLICATE]
    assert keys_of(claim(conn, 9, now=7)) == ["c"]
    assert {stands_for(conn, key) for key in "bd"} == {"c"}
    assert violations(conn) == []


def test_a_copy_is_not_posted_after_what_was_refused(conn: sqlite3.Connection) -> None:
    """The very same would be refused again, and a retry of all that is dead would post it twice."""
    states(conn, copy("a"), copy("b"))
    (claimed,) = claim(conn, 9, now=5)
    settle(conn, [(claimed, dead())], now=6)
    assert claim(conn, 9, now=9) == []
    assert queries.item(conn, "b").state is ItemState.DUPLICATE
    assert violations(conn) == []


@pytest.mark.parametrize("stage", ["settled", "done"])
@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
def test_the_mail_of_a_copy_is_put_away_too(conn: sqlite3.Connection, *, stage: str, early: bool) -> None:
    """Whenever it comes: a mail that somebody moved to another folder is not left there for ever."""
    when = {"settled": (["support"], []), "done": ([], ["support"])}
    mail_actions.set_sources(conn, when[stage][0], 0, when_done=when[stage][1])
    follow_ups.set_routes(conn, [FollowedRoute(route="r")], first=1, longest=9, now=0)
    first, second = (replace(copy(key), route="r") for key in "ab")
    states(conn, first, second) if early else states(conn, first)
    (claimed,) = claim(conn, 9, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    done = Looked(
        item_id=1, due_at=9, steady=0, told=True, status=99, status_name="Done", outcome=FollowUpOutcome.DONE
    )
    follow_ups.record(conn, [done], 7)
    if not early:
        states(conn, second, now=8)
    assert [one.item_id for one in mail_actions.due(conn, "support", 9, 9)] == [1, 2]


def test_copies_are_no_repeats_of_a_case(conn: sqlite3.Connection) -> None:
    """Nobody who looks for what the ACD put together is shown the labels of each mail; their records go with them."""
    states(conn, copy("a"), copy("b"))
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    assert newest(conn, 9) == []
    assert repeated_events(conn, 9) == []
    assert remove_settled(conn, before=50) == 2
    assert conn.execute("SELECT count(*) FROM duplicates").fetchone()[0] == 0


def test_copies_of_an_older_state_file_stay_what_they_were(path: Path) -> None:
    """What was noted in words only is a record afterwards, and the mail of the copy is put away with the other's."""
    with closing(sqlite3.connect(path)) as conn:
        for number, script in enumerate(migrations()[:BEFORE], start=1):
            conn.executescript(f"{script}\nPRAGMA user_version = {number};")
        conn.executescript(f"PRAGMA application_id = {APPLICATION_ID};")
        columns = "source, kind, conversation, received_at, accepted_at, due_at, message, event, digest"
        values = ("support", "mail", "c", 1, 1, 1, "{}", EVENT, "")
        for key, turn, state, reason, detail, settled_at in (
            ("a", 1, "pending", "", "", None),
            ("b", 0, "duplicate", "same-letter", "of a", 1),
        ):
            conn.execute(
                f"INSERT INTO items ({columns}, key, place, turn, state, reason, detail, settled_at) "
                f"VALUES ({', '.join('?' * 16)})",
                (*values, key, f"INBOX/1/{key}", turn, state, reason, detail, settled_at),
            )
        conn.commit()
    with closing(open_for_writing(path)) as conn:
        mail_actions.set_sources(conn, ["support"], 0)
        assert stands_for(conn, "b") == "a"
        (claimed,) = claim(conn, 1, now=5)
        settle(conn, [(claimed, created(1))], now=6)
        assert mail_actions.waiting(conn, "support") == 2
        assert violations(conn) == []


def test_a_letter_is_forgotten_with_its_item(conn: sqlite3.Connection) -> None:
    """The table does not grow for ever."""
    accept(conn, [copy("a")], None, now=5)
    (claimed,) = claim(conn, 1, now=5)
    settle(conn, [(claimed, created(1))], now=6)
    assert remove_settled(conn, before=50) == 1
    assert conn.execute("SELECT count(*) FROM letters").fetchone()[0] == 0
