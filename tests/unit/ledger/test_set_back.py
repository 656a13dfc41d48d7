import sqlite3

from bridge.ledger import follow_ups, mail_actions, queries
from bridge.ledger.accepting import accept
from bridge.ledger.follow_ups import FollowedRoute
from bridge.ledger.outbox import claim, settle
from bridge.ledger.set_back import set_back
from tests.unit.ledger.making import created, keys_of, later, new_item

YEAR = 365 * 86_400_000


def test_what_is_put_off_goes_back_with_the_clock(conn: sqlite3.Connection) -> None:
    """What was due is due, what was to wait for a while waits for that while, and nothing came before now."""
    accept(conn, [new_item("put off"), new_item("due")], None, now=YEAR)
    settle(conn, [(claim(conn, 1, now=YEAR)[0], later(due_at=YEAR + 500))], now=YEAR)
    set_back(conn, by=YEAR - 100, now=200)
    assert keys_of(claim(conn, 8, now=200)) == ["due"]
    assert queries.next_due(conn) == 600
    assert [queries.item(conn, key).accepted_at for key in ("put off", "due")] == [200, 200]


def test_what_is_right_stays(conn: sqlite3.Connection) -> None:
    """An item that is due is due, and when it was taken in is not changed."""
    accept(conn, [new_item("a")], None, now=50)
    set_back(conn, by=1000, now=200)
    item = queries.item(conn, "a")
    assert (item.due_at, item.accepted_at) == (50, 50)


def test_what_follows_a_delivery_goes_back_too(conn: sqlite3.Connection) -> None:
    """The mail is done with and its event is looked at, although it was delivered by a wrong clock."""
    mail_actions.set_sources(conn, ["support"], now=0)
    follow_ups.set_routes(conn, [FollowedRoute(route="billing")], first=300, longest=900, now=0)
    accept(conn, [new_item("a", route="billing")], None, now=YEAR)
    settle(conn, [(claim(conn, 1, now=YEAR)[0], created(1))], now=YEAR)
    set_back(conn, by=YEAR - 100, now=150)
    assert len(mail_actions.due(conn, "support", now=150, limit=9)) == 1
    assert [len(follow_ups.due(conn, now=now, limit=9)) for now in (399, 400)] == [0, 1]
    assert follow_ups.due(conn, now=400, limit=9)[0].began_at == 150
