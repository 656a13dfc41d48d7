"""What is to be compared after an ordeal: the values that the auditor judges, taken from files and servers."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.errors import StateFileError
from bridge.intake.imap.after_delivery_folder import RENUMBERED
from bridge.ledger import queries
from bridge.ledger.orders import orders
from bridge.ledger.state import OPEN
from bridge.ledger.verify import violations
from bridge.ledger.visit import look
from tests.torture.auditor import Findings, audit, broken_invariants, rows_of
from tests.torture.kill.senders import DONE, Postman
from tests.torture.kill.world import World

_UNNOTED = """SELECT key FROM items WHERE state = 'updated'
    AND (SELECT count(*) FROM duplicates WHERE item_id = items.id AND acd_event_id = items.acd_event_id) <> 1"""


def check_ledger(state: Path, fate: str) -> None:
    """A dead process has left a whole ledger. Looked at in a copy: opening it would tidy up what the next life finds.

    Raises AssertionError.
    """
    with TemporaryDirectory() as folder:
        for path in state.parent.glob("state.db*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / state.name)) as conn:
            if conn.execute("PRAGMA user_version").fetchone()[0]:
                found = violations(conn)
                assert not found, f"after {fate}: {found}"


def is_watched(state: Path) -> bool:
    """Whether the inbox has its baseline on disk."""
    try:
        return bool(look(state, queries.cursors))
    except StateFileError:
        return False  # the first start has not come so far


def settled(state: Path, uidnext: int | None) -> bool:
    """Whether there is nothing left to do; `uidnext` is that of the inbox, where there is one."""
    totals = look(state, queries.totals)
    return not any(totals[one] for one in OPEN) and (uidnext is None or _mails_done(state, uidnext))


def _mails_done(state: Path, uidnext: int) -> bool:
    cursors = look(state, queries.cursors)
    ordered = look(state, orders)
    return (
        bool(cursors and ordered)
        and cursors[0].last_uid == uidnext - 1
        and ordered[0].ended
        and not look(state, _actions_waiting)
    )


def _actions_waiting(conn: sqlite3.Connection) -> int:
    """A mail that was moved before a crash and a new numbering is looked for until it is given up, for minutes."""
    query = "SELECT count(*) FROM mail_actions WHERE ended_at IS NULL AND (begun_at IS NULL OR detail <> ?)"
    return int(conn.execute(query, (RENUMBERED,)).fetchone()[0])


def audited(world: World, handed_in: Sequence[str], postman: Postman | None) -> Findings:
    """What the auditor finds, once the service has stopped."""
    with closing(sqlite3.connect(world.state)) as conn:
        broken = [f"{one.name}: {one.examples}" for one in violations(conn)]
        broken += [f"UPDATED, and no duplicate is noted: {row[0]}" for row in conn.execute(_UNNOTED)]
    broken += broken_invariants(world.state)
    if world.state.with_name("state.db-wal").exists():
        broken.append("the stop has left a WAL")
    if postman is not None:
        broken += [*_mails_misplaced(postman, handed_in), *_command_objects(world), *_tokens_given_up(world)]
    return audit(handed_in, world.done, rows_of(world.state), broken)


def _mails_misplaced(postman: Postman, handed_in: Sequence[str]) -> list[str]:
    """Every mail was moved, once."""
    mails = sorted(label for label in handed_in if not label.startswith("t"))
    left, moved = postman.labels_in("INBOX"), sorted(postman.labels_in(DONE))
    return ([f"left in the inbox: {left}"] if left else []) + ([] if moved == mails else [f"moved: {moved}"])


def _command_objects(world: World) -> list[str]:
    """`acd-bridge audit` finds every UID accounted for."""
    command = [sys.executable, "-m", "bridge", "audit", "--config", str(world.config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [f"audit: {done.stdout} {done.stderr}"] if done.returncode else []


def _tokens_given_up(world: World) -> list[str]:
    """A token server that ends old refresh tokens would not be asked with one that is older than one used before."""
    assert world.host is not None
    mine = [form for form in world.host.tokens.forms if form["client_id"] == world.user]
    used = [int(form["refresh_token"].rpartition("-")[2]) for form in mine]
    return [] if used == sorted(used) else [f"refresh tokens used: {used}"]
