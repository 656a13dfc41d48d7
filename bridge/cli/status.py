"""`acd-bridge status`: what the state file says, also while the service runs."""

import time
from dataclasses import asdict

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_STATE,
    ConfigOption,
    JsonOption,
    count,
    fail,
    moment,
    print_json,
    print_table,
    say,
    state_path,
)
from bridge.errors import StateFileError
from bridge.ledger import follow_ups, notices, orders, queries
from bridge.ledger.visit import look


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("status")(status)


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
        say(
            f"followed in the ACD: {count(followed.waiting, 'event')}, the next look at {moment(followed.next_due)}"
        )
    for name, number in untold.items():
        say(f"notify {name}: {count(number, 'notice')} waiting")
