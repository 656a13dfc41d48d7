"""The auditor: what was handed in, beside what the ACD did and what the ledger says. A pure function of values.

Every message of a torture test carries a label `CONVERSATION NUMBER` in its subject, numbered from 1 within its
conversation in the order in which it was handed in. Messages that say the same share a label, and are counted.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import orjson

from bridge.ledger.state import OPEN, OPEN_LIST


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that the ACD did: it made an event for a label, or changed the one that was there."""

    label: str
    event_id: int
    created: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the ledger."""

    label: str
    state: str
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, by kind; empty where all is well."""

    lost: tuple[str, ...] = ()
    """Handed in for good (a webhook: answered 200), and the ACD knows nothing of it, or less than was handed in."""
    doubled: tuple[str, ...] = ()
    """More than one event was made for it, or more than there are messages that say so."""
    out_of_order: tuple[str, ...] = ()
    """Conversations whose messages came to the ACD first in another order than they were handed in."""
    unaccounted: tuple[str, ...] = ()
    """Handed in for good, and not exactly one item of the ledger for each."""
    still_open: tuple[str, ...] = ()
    """Items that have no final state although everything had its time."""
    misnoted: tuple[str, ...] = ()
    """Items whose event is not one that the ACD made or changed for them."""
    broken: tuple[str, ...] = ()
    """Invariants of the ledger that do not hold."""

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def audit(
    handed_in: Sequence[str], done: Sequence[Done], rows: Sequence[Row], broken: Sequence[str] = ()
) -> Findings:
    """Compare. `done` is in the order in which the ACD did it; `broken` is what `broken_invariants` found.

    A second `UPDATED` for one label is no fault: where the answer to an update is lost nothing can tell whether it
    was done, and it is posted again (see `bridge.delivery.reconcile.find_events`).
    """
    wanted, items = Counter(handed_in), Counter(row.label for row in rows)
    made, seen = Counter(one.label for one in done if one.created), {one.label for one in done}
    return Findings(
        lost=tuple(
            label for label, number in wanted.items() if label not in seen or 1 < number > made[label]
        ),
        doubled=tuple(label for label, number in made.items() if number > max(1, wanted[label])),
        out_of_order=_out_of_order(dict.fromkeys(one.label for one in done)),
        unaccounted=tuple(label for label, number in wanted.items() if items[label] != number),
        still_open=tuple(row.label for row in rows if row.state in OPEN),
        misnoted=_misnoted(done, rows),
        broken=tuple(broken),
    )


def _out_of_order(labels: Iterable[str]) -> tuple[str, ...]:
    highest: dict[str, int] = {}
    wrong: dict[str, None] = {}
    for label in labels:
        conversation, _, number = label.partition(" ")
        if int(number) < highest.get(conversation, 0):
            wrong[conversation] = None
        highest[conversation] = max(int(number), highest.get(conversation, 0))
    return tuple(wrong)


def _misnoted(done: Sequence[Done], rows: Sequence[Row]) -> tuple[str, ...]:
    known = {(one.label, one.event_id) for one in done}
    settled = (row for row in rows if row.state in {"created", "updated"})
    return tuple(row.label for row in settled if (row.label, row.event_id) not in known)


def rows_of(state: Path) -> list[Row]:
    """The items of a state file. One of a mail that was gone before it was read has no label."""
    with closing(sqlite3.connect(state)) as conn:
        found = conn.execute("SELECT message, state, acd_event_id FROM items ORDER BY id").fetchall()
    return [
        Row(orjson.loads(message).get("subject", ""), state, event_id) for message, state, event_id in found
    ]


_INVARIANTS = {
    "an item under way has no open attempt": """
        SELECT key FROM items i WHERE state = 'sending' AND NOT EXISTS
        (SELECT 1 FROM attempts WHERE item_id = i.id AND number = i.attempts AND ended_at IS NULL)""",
    "a settled item has an open attempt": """
        SELECT key FROM items WHERE state NOT IN ('pending', 'sending', 'uncertain', 'held') AND id IN
        (SELECT item_id FROM attempts WHERE ended_at IS NULL)""",
    "a posted item has no attempt or no event": """
        SELECT key FROM items i WHERE state IN ('created', 'updated')
        AND (acd_event_id IS NULL OR NOT EXISTS (SELECT 1 FROM attempts WHERE item_id = i.id))""",
    "attempts are not numbered through": """
        SELECT key FROM items i WHERE attempts <> (SELECT count(*) FROM attempts WHERE item_id = i.id)""",
    "the oldest open item of a conversation has not its turn": f"""
        SELECT key FROM items i WHERE state IN {OPEN_LIST} AND turn = 0 AND NOT EXISTS
        (SELECT 1 FROM items WHERE conversation = i.conversation AND state IN {OPEN_LIST} AND id < i.id)""",
    "an event belongs to two created items": """
        SELECT acd_event_id FROM items WHERE state = 'created' AND acd_event_id IS NOT NULL
        GROUP BY acd_event_id HAVING count(*) > 1""",
    "the totals are not those of the items": """
        SELECT state FROM totals t WHERE items <> (SELECT count(*) FROM items i WHERE i.state = t.state)""",
    "a mail up to the cursor has no place": """
        SELECT c.folder FROM cursors c JOIN numberings n USING (source, folder, uidvalidity)
        WHERE (SELECT count(*) FROM places WHERE numbering_id = n.id AND uid BETWEEN c.baseline AND c.last_uid)
        <> c.last_uid - c.baseline + 1""",
}


def broken_invariants(state: Path) -> list[str]:
    """What must hold in every state file of a bridge that stands still, and does not."""
    with closing(sqlite3.connect(state)) as conn:
        found = {name: conn.execute(query).fetchall() for name, query in _INVARIANTS.items()}
        health = conn.execute("PRAGMA integrity_check").fetchone()[0]
        strays = conn.execute("PRAGMA foreign_key_check").fetchall()
    names = [f"{name}: {rows[0][0]}" for name, rows in found.items() if rows]
    return names + [f"integrity: {health}"] * (health != "ok") + [f"foreign keys: {strays}"] * bool(strays)
