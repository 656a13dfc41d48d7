"""`acd-bridge status` and `acd-bridge duplicates`: what the state file says, also while the service runs."""

import csv
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_STATE,
    ConfigOption,
    JsonOption,
    fail,
    moment,
    print_json,
    print_table,
    say,
    state_path,
)
from bridge.errors import StateFileError
from bridge.ledger import follow_ups, notices, orders, queries
from bridge.ledger.item import Duplicate
from bridge.ledger.visit import look

_COLUMNS = (
    "at", "acd_event_id", "key", "source", "sender", "subject", "ticket_number",
    "first_key", "first_source", "first_at",
)  # fmt: skip


def register(root: typer.Typer) -> None:
    """Add the commands of this file."""
    root.command("status")(status)
    root.command("duplicates")(duplicates)


def status(config: ConfigOption = DEFAULT_CONFIG, *, json: JsonOption = False) -> None:
    """How many items are in each state, the oldest that is open, how far each folder is read, and what is followed."""
    path = state_path(config)
    try:
        totals = look(path, queries.totals)
        oldest = look(path, queries.oldest_open)
        cursors = look(path, queries.cursors)
        history = look(path, orders.orders)
        followed = look(path, follow_ups.totals)
        untold = look(path, notices.waiting)
    except StateFileError as error:
        fail(error, EXIT_STATE)
    age = None if oldest is None else max(0.0, time.time() - oldest / 1000)
    if json:
        print_json(
            {
                "state_file": str(path),
                "items": totals,
                "oldest_open_age": age,
                "folders": [asdict(one) for one in cursors],
                "history": [asdict(one) for one in history],
                "followed": {"waiting": followed.waiting, "next_due": moment(followed.next_due)},
                "notices_waiting": untold,
            }
        )
        return
    print_table(("state", "items"), list(totals.items()))
    say(f"oldest open item: {'none' if age is None else f'{age:.0f} s'}")
    for one in cursors:
        say(f"{one.source}/{one.folder}: read up to UID {one.last_uid} (UIDVALIDITY {one.uidvalidity})")
    for order in history:
        say(f"{order.source}/{order.folder}: old mail: {order.progress()}")
    if followed.waiting:
        say(f"followed in the ACD: {followed.waiting} events, the next look at {moment(followed.next_due)}")
    for name, number in untold.items():
        say(f"notify {name}: {number} notices wait")


def duplicates(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 1000,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header line.")] = False,
    json: JsonOption = False,
) -> None:
    """The `UPDATED` answers, newest first: which item went into which item's event."""
    path = state_path(config)
    try:
        found = look(path, partial(queries.duplicates, limit=limit))
    except StateFileError as error:
        fail(error, EXIT_STATE)
    rows = [_row(one) for one in found]
    if json:
        for row in rows:
            print_json(dict(zip(_COLUMNS, row, strict=True)))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([_safe_cell(value) for value in row] for row in rows)
    else:
        print_table(_COLUMNS, rows, whole=("key",))


def _row(one: Duplicate) -> tuple[object, ...]:
    fields = asdict(one) | {"at": moment(one.at), "first_at": moment(one.first_at)}
    return tuple(fields[column] for column in _COLUMNS)


def _safe_cell(value: object) -> object:
    """A subject that begins like a formula must not run in somebody's spreadsheet."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
