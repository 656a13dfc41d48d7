"""What came of a run: what the auditor finds, and what else must not be."""

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from bridge.ledger import queries
from bridge.ledger.file import open_for_reading
from bridge.ledger.verify import violations
from tests.simulation.mail_folders import Folder
from tests.torture.auditor import Done, Findings, Row, audit, broken_invariants


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    seed: int
    findings: Findings
    faults: tuple[str, ...]
    """What else is wrong: what the bridge says of itself, what asyncio says, old mail that was posted."""
    digest: str
    hours: float
    messages: int
    crashes: int
    starts: int
    spells: int

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings and not self.faults


def rows_of(state: Path) -> list[Row]:
    """The items that say what they are about; those of mails that vanished unread do not."""
    with closing(open_for_reading(state)) as conn:
        found = conn.execute(
            "SELECT message, state, acd_event_id FROM items WHERE reason <> 'left-alone' ORDER BY id"
        ).fetchall()
    rows = [(orjson.loads(message).get("subject"), state, number) for message, state, number in found]
    return [Row(label, state, number) for label, state, number in rows if label]


def uncounted(state: Path, inbox: Folder) -> list[str]:
    """Mails of the inbox since its baseline that have no place in the ledger."""
    with closing(open_for_reading(state)) as conn:
        (cursor,) = queries.cursors(conn)
        places = conn.execute(
            "SELECT uid FROM places JOIN numberings ON id = numbering_id WHERE uidvalidity = ?",
            (inbox.uidvalidity,),
        ).fetchall()
    if cursor.uidvalidity != inbox.uidvalidity or cursor.last_uid != inbox.uidnext - 1:
        return [f"the cursor {cursor} is not at the end of the inbox"]
    lost = {uid for uid in inbox.mails if uid >= cursor.baseline} - {row["uid"] for row in places}
    return [f"UIDs without a place: {sorted(lost)}"] if lost else []


def broken(state: Path, inbox: Folder) -> list[str]:
    """Invariants of the ledger that do not hold, and mails that have no place in it."""
    # The auditor's own query wants a place for every UID; here some were never a mail.
    names = [one for one in broken_invariants(state) if not one.startswith("a mail up to the cursor")]
    with closing(open_for_reading(state)) as conn:
        names += [f"{one.name}: {one.examples}" for one in violations(conn)]
    return names + uncounted(state, inbox)


def judged(
    handed_in: Sequence[str], done: Sequence[Done], state: Path, inbox: Folder, again: Collection[str]
) -> Findings:
    """The audit. What an operator had tried again (`again`) is judged alone, not in the order of its conversation:
    meanwhile that went on.
    """

    def name(label: str) -> str:
        return f"{label.replace(' ', '.')} 1" if label in again else label

    return audit(
        [name(label) for label in handed_in],
        [Done(name(one.label), one.event_id, one.created) for one in done],
        [Row(name(row.label), row.state, row.event_id) for row in rows_of(state)],
        broken(state, inbox),
    )
