import sqlite3
from dataclasses import replace

import pytest

from bridge.cursor import FolderCursor
from bridge.ledger import places
from bridge.ledger.accepting import accept
from bridge.ledger.places import BATCH, FORGOTTEN, Place, place_of
from bridge.ledger.state import ItemState
from tests.unit.ledger.making import new_item


def at(uid: int, key: str, uidvalidity: int = 1) -> Place:
    return Place("support", "INBOX", uidvalidity, uid, key)


def cursor(uidvalidity: int) -> FolderCursor:
    return FolderCursor(source="support", folder="INBOX", uidvalidity=uidvalidity, baseline=1, last_uid=9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INBOX/7/42", Place("s", "INBOX", 7, 42, "k")),
        ("Team/Sales/7/42", Place("s", "Team/Sales", 7, 42, "k")),
        ("delivery-1", None),
        ("INBOX/x/1", None),
        ("INBOX/1/x", None),
        ("", None),
    ],
)
def test_places_are_read(text: str, expected: Place | None) -> None:
    """A folder's own slashes belong to it; a helpdesk's delivery is no place."""
    assert place_of("s", text, "k") == expected


def test_every_mail_has_its_place_and_no_ticket_has(conn: sqlite3.Connection) -> None:
    """Items and repeats alike are found by their UID, with the state of their item."""
    items = [
        new_item("a", place="INBOX/1/5"),
        new_item("a", place="INBOX/1/6"),
        new_item("b", place="INBOX/1/7", state=ItemState.FILTERED),
        new_item("t", place="INBOX/1/8", kind="ticket"),
    ]
    accept(conn, items, None, now=50)
    found = places.states(conn, "support", "INBOX", 1, range(1, 20))
    assert found == {5: "pending", 6: "pending", 7: "filtered"}
    assert places.states(conn, "support", "INBOX", 2, [5]) == {}
    assert places.states(conn, "sales", "INBOX", 1, [5]) == {}
    assert places.totals(conn, "support", "INBOX", 1, 6, 9) == {"pending": 1, "filtered": 1}


def test_a_place_outlives_its_item(conn: sqlite3.Connection) -> None:
    """What was removed for its age is still accounted for, and still known by its key."""
    accept(conn, [new_item("a", place="INBOX/1/5")], None, now=50)
    conn.execute("DELETE FROM items")
    assert places.states(conn, "support", "INBOX", 1, [5]) == {5: FORGOTTEN}
    assert places.recognise(conn, [at(9, "a", 2), at(10, "new", 2)], now=60) == [FORGOTTEN, ""]
    assert places.states(conn, "support", "INBOX", 2, [9, 10]) == {9: FORGOTTEN}


def test_known_mails_are_noted_where_they_are_now(conn: sqlite3.Connection) -> None:
    """After a renumbering the known ones have their new place and a repeat; the others have nothing."""
    accept(conn, [new_item("a", place="INBOX/1/5"), new_item("b", place="INBOX/1/6")], None, now=50)
    for _ in range(2):
        known = places.recognise(conn, [at(1, "b", 2), at(2, "c", 2), at(3, "a", 2)], now=60)
        assert known == ["pending", "", "pending"]
    assert places.states(conn, "support", "INBOX", 2, [1, 2, 3]) == {1: "pending", 3: "pending"}
    assert places.uids_of(conn, "support", "INBOX", 2, ["a", "b", "c"]) == [[3], [1], []]
    repeats = conn.execute("SELECT place FROM repeats ORDER BY place").fetchall()
    assert [row[0] for row in repeats] == ["INBOX/2/1", "INBOX/2/3"]


def test_a_uid_that_is_given_again_means_what_was_read_last(conn: sqlite3.Connection) -> None:
    """A server restored from a backup gives UIDs a second time; the mail that has it now is the one accounted for."""
    places.note(conn, [at(5, "a")])
    places.note(conn, [at(5, "b")])
    assert places.uids_of(conn, "support", "INBOX", 1, ["a", "b"]) == [[], [5]]


def test_what_the_newest_uids_meant(conn: sqlite3.Connection) -> None:
    """Up to a UID, of one numbering, as far as a Message-ID is kept; no more than is worth asking the server about."""
    mails = [new_item(f"{uid}", place=f"INBOX/1/{uid}") for uid in range(1, 101)]
    named = [replace(one, message={"message_id": f"{one.key}@b"}) for one in mails if one.key != "90"]
    accept(conn, [*named, mails[89], new_item("other", place="INBOX/2/95")], None, now=1)
    found = places.newest(conn, "support", "INBOX", 1, 95)
    assert found == {uid: f"{uid}@b" for uid in range(96 - places.NEWEST, 96) if uid != 90}
    assert places.newest(conn, "support", "INBOX", 3, 95) == {}


def test_a_mail_that_is_back_has_its_place_again(conn: sqlite3.Connection) -> None:
    """Where a mail was noted as vanished and is read after all, its place is that of the mail."""
    gone = new_item("gone", state=ItemState.VANISHED, place="INBOX/1/5", event=None)
    accept(conn, [gone], None, now=1)
    accept(conn, [new_item("back", place="INBOX/1/5")], None, now=2)
    assert places.states(conn, "support", "INBOX", 1, [5]) == {5: "pending"}
    accept(conn, [gone], None, now=3)
    assert places.states(conn, "support", "INBOX", 1, [5]) == {5: "pending"}


def test_former_numberings_are_removed_in_small_steps(conn: sqlite3.Connection) -> None:
    """Older ones than the cursor's go; the cursor's own and one that is being read now stay."""
    for uidvalidity in (1, 2, 3):
        places.note(conn, [at(uid, f"{uid}", uidvalidity) for uid in range(BATCH + 10)])
    accept(conn, [], cursor(2), now=1)
    assert places.remove_former(conn) == BATCH
    assert places.remove_former(conn) == 10
    assert places.remove_former(conn) == 0
    kept = conn.execute("SELECT uidvalidity FROM numberings ORDER BY id").fetchall()
    assert [row[0] for row in kept] == [2, 3]
    assert conn.execute("SELECT count(*) FROM places").fetchone()[0] == 2 * (BATCH + 10)
