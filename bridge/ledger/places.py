"""Where mails were found: each UID that existed between a folder's baseline and its last UID has one row.

A row outlives its item, so that the audit can still account for a mail whose item was removed for its age, and so
that such a mail is known again when its folder is numbered anew.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

FORGOTTEN = "forgotten"
"""Stands for the state of a mail whose item was removed for its age."""
NEWEST = 50
"""Mails that tell whether UIDs still mean what they meant."""
BATCH = 500
"""Rows that are removed at once; bounds the time that other writes wait."""


class Place(NamedTuple):
    """One UID of one folder, as it was numbered at a time (RFC 9051 section 2.3.1.1)."""

    source: str
    folder: str
    uidvalidity: int
    uid: int
    key: str
    """The item's key."""


def place_of(source: str, place: str, key: str) -> Place | None:
    """Read `FOLDER/UIDVALIDITY/UID`, as mails have it; None for what is no mail's place."""
    parts = place.rsplit("/", 2)
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return Place(source, parts[0], int(parts[1]), int(parts[2]), key)


def note(conn: sqlite3.Connection, places: Iterable[Place]) -> None:
    """Remember where mails were found.

    What is read last counts: a server that was restored from a backup gives UIDs a second time. That a mail had
    vanished says nothing against one that was there.
    """
    numberings: dict[tuple[str, str, int], int] = {}
    rows: list[tuple[int, int, str]] = []
    for place in places:
        name = place[:3]
        if name not in numberings:
            numberings[name] = _numbering(conn, *name)
        rows.append((numberings[name], place.uid, place.key))
    conn.executemany(
        "INSERT INTO places (numbering_id, uid, key) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET key = excluded.key "
        "WHERE key <> excluded.key "
        "AND NOT EXISTS (SELECT 1 FROM items WHERE items.key = excluded.key AND state = 'vanished')",
        rows,
    )


def _numbering(conn: sqlite3.Connection, source: str, folder: str, uidvalidity: int) -> int:
    names = (source, folder, uidvalidity)
    found = conn.execute(
        "SELECT id FROM numberings WHERE source = ? AND folder = ? AND uidvalidity = ?", names
    ).fetchone()
    if found is not None:
        return int(found[0])
    row = conn.execute(
        "INSERT INTO numberings (source, folder, uidvalidity) VALUES (?, ?, ?) RETURNING id", names
    ).fetchone()
    return int(row[0])


def recognise(conn: sqlite3.Connection, places: Sequence[Place], now: int) -> list[str]:
    """The state of each of these mails that is known by its key; empty where it is new.

    Where the known ones were found is noted with it.
    """
    keys = orjson.dumps([place.key for place in places]).decode()
    found = dict(
        conn.execute(
            "SELECT wanted.value, coalesce(i.state, ?1) FROM json_each(?2) wanted "
            "LEFT JOIN items i ON i.key = wanted.value WHERE i.key IS NOT NULL "
            "OR EXISTS (SELECT 1 FROM places INDEXED BY places_key WHERE key = wanted.value)",
            (FORGOTTEN, keys),
        ).fetchall()
    )
    known = [place for place in places if place.key in found]
    note(conn, known)
    conn.executemany(
        "INSERT INTO repeats (item_id, place, seen_at) SELECT id, ?2, ?3 FROM items "
        "WHERE key = ?1 AND place <> ?2 "
        "ON CONFLICT (item_id, place) DO UPDATE SET times = times + 1, seen_at = excluded.seen_at",
        [(place.key, f"{place.folder}/{place.uidvalidity}/{place.uid}", now) for place in known],
    )
    return [found.get(place.key, "") for place in places]


def uids_of(
    conn: sqlite3.Connection, source: str, folder: str, uidvalidity: int, keys: Sequence[str]
) -> list[list[int]]:
    """For each key, the UIDs of this numbering at which its mail was found; the newest 100."""
    return [
        [
            row[0]
            for row in conn.execute(
                "SELECT p.uid FROM numberings n JOIN places p INDEXED BY places_key "
                "ON p.key = ? AND p.numbering_id = n.id "
                "WHERE n.source = ? AND n.folder = ? AND n.uidvalidity = ? ORDER BY p.uid DESC LIMIT 100",
                (key, source, folder, uidvalidity),
            )
        ]
        for key in keys
    ]


def states(
    conn: sqlite3.Connection, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
) -> dict[int, str]:
    """The states of those of these UIDs that are accounted for."""
    rows = conn.execute(
        "SELECT p.uid, coalesce(i.state, ?) FROM json_each(?) wanted JOIN numberings n "
        "JOIN places p ON p.numbering_id = n.id AND p.uid = wanted.value LEFT JOIN items i ON i.key = p.key "
        "WHERE n.source = ? AND n.folder = ? AND n.uidvalidity = ?",
        (FORGOTTEN, orjson.dumps(list(uids)).decode(), source, folder, uidvalidity),
    )
    return dict(rows.fetchall())


def newest(
    conn: sqlite3.Connection, source: str, folder: str, uidvalidity: int, last_uid: int
) -> dict[int, str]:
    """The Message-IDs of the newest mails up to this UID, by UID; of those of which one is kept."""
    rows = conn.execute(
        "SELECT newest.uid, i.message ->> 'message_id' AS message_id FROM (SELECT uid, key FROM places "
        "WHERE numbering_id = (SELECT id FROM numberings WHERE source = ? AND folder = ? AND uidvalidity = ?) "
        "AND uid <= ? ORDER BY uid DESC LIMIT ?) newest CROSS JOIN items i ON i.key = newest.key "
        "WHERE message_id <> ''",
        (source, folder, uidvalidity, last_uid, NEWEST),
    )
    return dict(rows.fetchall())


def totals(
    conn: sqlite3.Connection, source: str, folder: str, uidvalidity: int, first: int, last: int
) -> dict[str, int]:
    """How many UIDs from `first` to `last` are accounted for in each state."""
    rows = conn.execute(
        "SELECT coalesce(i.state, ?), count(*) FROM numberings n JOIN places p ON p.numbering_id = n.id "
        "LEFT JOIN items i ON i.key = p.key "
        "WHERE n.source = ? AND n.folder = ? AND n.uidvalidity = ? AND p.uid BETWEEN ? AND ? GROUP BY 1",
        (FORGOTTEN, source, folder, uidvalidity, first, last),
    )
    return dict(rows.fetchall())


def remove_former(conn: sqlite3.Connection) -> int:
    """Remove some places of folders that were numbered anew since; how many.

    A numbering that is younger than the cursor's own is being read just now, and stays.
    """
    rows = conn.execute(
        "SELECT f.id FROM numberings f JOIN numberings n ON n.source = f.source AND n.folder = f.folder "
        "JOIN cursors c ON c.source = n.source AND c.folder = n.folder AND c.uidvalidity = n.uidvalidity "
        "WHERE f.id < n.id"
    ).fetchall()
    return sum(_remove_some(conn, row[0]) for row in rows)


def _remove_some(conn: sqlite3.Connection, numbering: int) -> int:
    removed = conn.execute(
        "DELETE FROM places WHERE numbering_id = ?1 AND uid IN "
        "(SELECT uid FROM places WHERE numbering_id = ?1 LIMIT ?2)",
        (numbering, BATCH),
    ).rowcount
    if removed < BATCH:
        conn.execute("DELETE FROM numberings WHERE id = ?", (numbering,))
    return removed
