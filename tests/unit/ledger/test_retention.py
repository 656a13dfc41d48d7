import sqlite3

import pytest

from bridge.ledger import follow_ups, notices, queries, retention
from bridge.ledger.accepting import accept
from bridge.ledger.duplicates import newest
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.item import ItemFilter
from bridge.ledger.notices import NoticeOutcome, Sent
from bridge.ledger.outbox import claim, settle
from bridge.ledger.retention import remove_settled
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import created, dead, new_item, updated


def test_only_old_items_that_are_over_are_removed(conn: sqlite3.Connection) -> None:
    """What waits, what needs a person and what is young stays; the rest goes, with its attempts."""
    accept(conn, [new_item(key) for key in ("done", "merged", "dead", "young", "open")], None, now=1)
    accept(conn, [new_item("bad", state=ItemState.QUARANTINED, event=None)], None, now=1)
    accept(conn, [new_item("dropped", state=ItemState.FILTERED)], None, now=1)
    done, merged, refused, young = claim(conn, 4, now=1)
    settle(conn, [(done, created(1))], now=10)
    settle(conn, [(merged, updated(1))], now=10)
    settle(conn, [(refused, dead())], now=10)
    settle(conn, [(young, created(2))], now=99)
    assert remove_settled(conn, before=50) == 3
    left = {item.key for item in queries.items(conn, ItemFilter())}
    assert left == {"dead", "young", "open", "bad"}
    assert queries.attempts(conn, done.id) == []
    (kept,) = newest(conn, 10)
    assert (kept.key, kept.first_key, kept.ticket_number) == ("merged", "done", "DH-1")
    assert remove_settled(conn, before=50) == 0


def test_what_is_still_needed_keeps_nothing_else_from_being_removed(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is older, and more of it than one step looks at: a route is followed for weeks, others are not."""
    monkeypatch.setattr(retention, "BATCH", 2)
    follow_ups.set_routes(conn, [FollowedRoute(route="slow")], first=1, longest=9, now=0)
    accept(conn, [new_item(key, route="slow") for key in "abc"], None, now=1)
    accept(conn, [new_item(key, route="quick") for key in "xyz"], None, now=1)
    settle(conn, [(one, created(one.id)) for one in claim(conn, 6, now=1)], now=10)
    assert [remove_settled(conn, before=50) for _ in range(3)] == [2, 1, 0]
    assert sorted(item.key for item in queries.items(conn, ItemFilter())) == ["a", "b", "c"]


@pytest.mark.parametrize("waits", ["for its event", "for the receiver of its notice"])
def test_what_somebody_is_still_to_be_told_of_stays(conn: sqlite3.Connection, waits: str) -> None:
    """A receiver that is down at the end of the retention hears of it nevertheless, or the notice is given up aloud."""
    follow_ups.set_routes(conn, [FollowedRoute(route="billing", notify="desk")], first=1, longest=9, now=0)
    accept(conn, [new_item("a", route="billing")], None, now=1)
    (item,) = claim(conn, 1, now=1)
    settle(conn, [(item, created(1))], now=10)
    done = Looked(item_id=item.id, due_at=0, steady=0, told=True, outcome=FollowUpOutcome.DONE)
    if waits == "for the receiver of its notice":
        follow_ups.record(conn, [done], 20)
    assert remove_settled(conn, before=50) == 0
    follow_ups.record(conn, [done], 20)
    notices.record(conn, [Sent(item_id=item.id, outcome=NoticeOutcome.TAKEN)], 60)
    assert remove_settled(conn, before=50) == 1
