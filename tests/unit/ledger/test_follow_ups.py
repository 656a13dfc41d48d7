"""The rows of events that are followed, from their item's settlement to their end."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.ledger import accepting, follow_ups, mail_actions, notices, outbox, queries
from bridge.ledger.doubt import Found, doubts, resolve
from bridge.ledger.file import APPLICATION_ID, migrations, open_for_writing
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, FollowUpState, FollowUpTotals, Looked
from bridge.ledger.item import ItemFilter, Settlement
from tests.unit.ledger.making import created, dead, later, new_item, uncertain, updated

ROUTE = FollowedRoute(route="billing", notify="desk")

BEFORE = 4
"""The schema's version without follow-up."""


def follow(conn: sqlite3.Connection, *routes: FollowedRoute, now: int = 1) -> int:
    return follow_ups.set_routes(conn, routes or (ROUTE,), first=30, longest=900, now=now)


def settled(conn: sqlite3.Connection, key: str, settlement: Settlement, **more: Any) -> None:
    """One item, from its acceptance to this settlement at 100."""
    accepting.accept(conn, [new_item(key, **({"route": "billing"} | more))], None, 10)
    outbox.settle(conn, [(outbox.claim(conn, 1, 20)[0], settlement)], 100)


def looked(item_id: int = 1, **more: Any) -> Looked:
    values: dict[str, Any] = {"item_id": item_id, "due_at": 500, "steady": 0, "told": True}
    return Looked(**values | {"status": 20, "status_name": "New"} | more)


def state(conn: sqlite3.Connection, item_id: int = 1) -> FollowUpState:
    found = follow_ups.state_of(conn, item_id)
    assert found is not None
    return found


@pytest.mark.parametrize(("settlement", "own"), [(created(5), True), (updated(5), False)])
def test_a_settled_items_event_is_followed(
    conn: sqlite3.Connection,
    settlement: Settlement,
    own: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """The row is there with the settlement, and due after the first wait; an updated event is not the item's own."""
    follow(conn)
    settled(conn, "a", settlement)
    assert follow_ups.due(conn, 129, 10) == []
    (row,) = follow_ups.due(conn, 130, 10)
    assert (row.key, row.acd_event_id, row.own, row.began_at) == ("a", 5, own, 100)
    assert (row.steady, row.looked_at, row.status, row.reached) == (0, None, None, frozenset())


def test_an_event_that_was_found_in_the_list_is_followed_too(conn: sqlite3.Connection) -> None:
    """Every way of settling an item makes the row."""
    follow(conn)
    settled(conn, "a", uncertain())
    assert follow_ups.state_of(conn, 1) is None
    resolve(conn, [Found(doubt=doubts(conn)[0], acd_event_id=7)], [], now=200)
    assert (state(conn).acd_event_id, state(conn).due_at) == (7, 230)


@pytest.mark.parametrize("how", ["found in the list", "found by posting again"])
def test_an_event_that_was_found_later_does_not_tell_the_time(conn: sqlite3.Connection, how: str) -> None:
    """It was made before its item was settled, nobody knows how long: the ACD's clock cannot be read off it."""
    follow(conn)
    settled(conn, "a", uncertain())
    (doubt,) = doubts(conn)
    if how == "found in the list":
        resolve(conn, [Found(doubt=doubt, acd_event_id=7)], [], now=200)
    else:
        resolve(conn, [], [doubt], now=150)
        again = replace(updated(7), says_the_same=True)
        outbox.settle(conn, [(outbox.claim(conn, 1, 160)[0], again)], 200)
    (row,) = follow_ups.due(conn, 230, 10)
    assert (row.began_at, row.own) == (200, False)


@pytest.mark.parametrize("settlement", [later(5000), dead(), uncertain()])
def test_nothing_is_followed_before_there_is_an_event(
    conn: sqlite3.Connection, settlement: Settlement
) -> None:
    """An item that waits, is refused or in doubt has no event to look at."""
    follow(conn)
    settled(conn, "a", settlement)
    assert follow_ups.state_of(conn, 1) is None


def test_only_routes_that_ask_for_it(conn: sqlite3.Connection) -> None:
    """Items of other routes, and of none, get no row."""
    follow(conn)
    settled(conn, "a", created(5), route="sales")
    settled(conn, "b", created(6), route=None)
    assert follow_ups.totals(conn) == FollowUpTotals(waiting=0, next_due=None)


def test_the_row_is_part_of_the_settlement(conn: sqlite3.Connection) -> None:
    """A settlement that is rolled back takes the row with it."""
    follow(conn)
    accepting.accept(conn, [new_item("a", route="billing")], None, 10)
    claimed = outbox.claim(conn, 1, 20)[0]
    conn.execute("BEGIN")
    outbox.settle(conn, [(claimed, created(5))], 100)
    assert follow_ups.state_of(conn, 1) is not None
    conn.execute("ROLLBACK")
    assert follow_ups.state_of(conn, 1) is None


def test_looks_are_written_down(conn: sqlite3.Connection) -> None:
    """What the ACD told is kept; a look that told nothing only puts the next one off, and known times stay."""
    follow(conn)
    settled(conn, "a", created(5))
    follow_ups.record(conn, [looked(new_at=140)], 150)
    follow_ups.record(conn, [looked(told=False, status=None, due_at=900, steady=1, detail="acd-failed")], 160)
    follow_ups.record(conn, [looked(status=30, status_name="Seen", new_at=999, seen_at=165)], 170)
    seen = state(conn)
    assert (seen.status, seen.status_name, seen.new_at, seen.seen_at) == (30, "Seen", 140, 165)
    assert (seen.looks, seen.looked_at, seen.due_at, seen.detail) == (3, 170, 500, "")
    (row,) = follow_ups.due(conn, 500, 10)
    assert (row.looked_at, row.status, row.reached) == (170, 30, frozenset({"new_at", "seen_at"}))
    assert follow_ups.totals(conn) == FollowUpTotals(waiting=1, next_due=500)


def test_what_has_ended_stays_as_it_is(conn: sqlite3.Connection) -> None:
    """An ended row is never due again, and a look that comes late does not change it."""
    follow(conn)
    settled(conn, "a", created(5))
    follow_ups.record(conn, [looked(told=False, outcome=FollowUpOutcome.UNKNOWN, detail="purged")], 150)
    follow_ups.record(conn, [looked(status=99, status_name="Done", outcome=FollowUpOutcome.DONE)], 160)
    assert (state(conn).outcome, state(conn).ended_at, state(conn).looks) == ("unknown", 150, 1)
    assert follow_ups.due(conn, 10**9, 10) == []


def test_a_route_that_follows_no_longer(conn: sqlite3.Connection) -> None:
    """What waits is cancelled, and so is what has a route that is gone; others go on."""
    follow(conn, ROUTE, FollowedRoute(route="sales"))
    settled(conn, "a", created(5))
    settled(conn, "b", created(6), route="sales")
    assert follow(conn, FollowedRoute(route="sales"), now=200) == 1
    assert (state(conn, 1).outcome, state(conn, 1).ended_at) == ("cancelled", 200)
    assert state(conn, 2).outcome == ""


def test_a_clock_that_was_wrong_puts_nothing_off_for_ever(conn: sqlite3.Connection) -> None:
    """At the next start no look is further away than the longest wait, and no time lies in the future."""
    follow(conn)
    accepting.accept(conn, [new_item("a", route="billing")], None, 10)
    outbox.settle(conn, [(outbox.claim(conn, 1, 20)[0], created(5))], 10**12)
    follow(conn, now=1000)
    (row,) = follow_ups.due(conn, 1900, 10)
    assert row.began_at == 1000


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (FollowUpOutcome.DONE, True),
        (FollowUpOutcome.ERROR, True),
        (FollowUpOutcome.UNKNOWN, False),
        (FollowUpOutcome.GAVE_UP, False),
    ],
)
@pytest.mark.parametrize("notify", ["desk", None])
def test_a_notice_comes_with_the_end(
    conn: sqlite3.Connection,
    outcome: FollowUpOutcome,
    told: bool,  # noqa: FBT001 - a column of the table
    notify: str | None,
) -> None:
    """Done and Error are told, to whom the route names, in one transaction; what is not known is not."""
    follow(conn, FollowedRoute(route="billing", notify=notify))
    settled(conn, "a", created(5))
    follow_ups.record(conn, [looked(outcome=outcome)], 150)
    found = notices.state_of(conn, 1)
    assert (found is not None) == (told and notify is not None)
    if found is not None:
        assert (found.target, found.due_at, found.tries, found.outcome) == ("desk", 150, 0, "")


@pytest.mark.parametrize(
    ("kind", "outcome", "acted"),
    [
        ("mail", FollowUpOutcome.DONE, True),
        ("mail", FollowUpOutcome.ERROR, False),
        ("mail", FollowUpOutcome.UNKNOWN, False),
        ("ticket", FollowUpOutcome.DONE, False),
    ],
)
def test_a_mailbox_that_waits_for_done(
    conn: sqlite3.Connection,
    kind: str,
    outcome: FollowUpOutcome,
    acted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Its mails get their action with the end of their event, and only where that is Done; not with the settlement."""
    follow(conn)
    mail_actions.set_sources(conn, [], 1, when_done=["support"])
    settled(conn, "a", created(5), kind=kind)
    assert mail_actions.state_of(conn, 1) is None
    follow_ups.record(conn, [looked()], 150)
    assert mail_actions.state_of(conn, 1) is None
    follow_ups.record(conn, [looked(outcome=outcome)], 160)
    action = mail_actions.state_of(conn, 1)
    assert (action is not None) == acted
    assert [one.item_id for one in mail_actions.due(conn, "support", 160, 10)] == ([1] if acted else [])


def test_a_mailbox_that_does_not_wait(conn: sqlite3.Connection) -> None:
    """Its mails get their action with the settlement, and no second one with the end of their event."""
    follow(conn)
    mail_actions.set_sources(conn, ["support"], 1)
    settled(conn, "a", created(5))
    assert len(mail_actions.due(conn, "support", 100, 10)) == 1
    follow_ups.record(conn, [looked(outcome=FollowUpOutcome.DONE)], 160)
    assert len(mail_actions.due(conn, "support", 160, 10)) == 1


def test_rows_go_with_their_item(conn: sqlite3.Connection) -> None:
    """Forgetting an item forgets its following and its notice."""
    follow(conn)
    settled(conn, "a", created(5))
    follow_ups.record(conn, [looked(outcome=FollowUpOutcome.DONE)], 150)
    conn.execute("DELETE FROM items")
    for table in ("follow_ups", "notices"):
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_looking_for_due_rows_reads_an_index(conn: sqlite3.Connection) -> None:
    """A million ended rows cost a look nothing."""
    plan = conn.execute(
        "EXPLAIN QUERY PLAN SELECT item_id FROM follow_ups INDEXED BY follow_ups_due "
        "WHERE ended_at IS NULL AND due_at <= 5 ORDER BY due_at, item_id LIMIT 5"
    ).fetchall()
    assert ["INDEX follow_ups_due (due_at<?)" in row["detail"] for row in plan] == [True]


def test_a_file_of_the_version_before_is_brought_up_to_date(path: Path) -> None:
    """Its rows are there as they were, waiting actions on mails too, and what is settled from then on is followed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in migrations()[:BEFORE]:
            old.executescript(script)
        old.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {BEFORE};")
        old.row_factory = sqlite3.Row
        old.execute("INSERT INTO mail_action_sources (source) VALUES ('support')")
        settled(old, "a", created(5))
        settled(old, "b", dead())
        accepting.accept(old, [new_item("c", route="billing")], None, 110)
        before = [tuple(row) for row in old.execute("SELECT * FROM items ORDER BY id")]
    with closing(open_for_writing(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
        assert [tuple(row) for row in conn.execute("SELECT * FROM items ORDER BY id")] == before
        assert [one.key for one in queries.items(conn, ItemFilter())] == ["c", "b", "a"]
        assert [one.item_id for one in mail_actions.due(conn, "support", 100, 10)] == [1]
        assert follow_ups.state_of(conn, 1) is None
        follow(conn)
        outbox.settle(conn, [(outbox.claim(conn, 1, 120)[0], created(6))], 130)
        assert state(conn, 3).acd_event_id == 6
        # The mailbox's row is from before the upgrade: its mails still get their action with the settlement.
        assert [one.item_id for one in mail_actions.due(conn, "support", 130, 10)] == [1, 3]
