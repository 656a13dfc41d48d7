"""`acd-bridge state ...`: a copy of the state file, a check of it, and a person's data out of it."""

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.choice import BATCH
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_FAILED,
    EXIT_STATE,
    ConfigOption,
    JsonOption,
    YesOption,
    ask,
    count,
    fail,
    moment,
    print_json,
    print_table,
    say,
    state_path,
)
from bridge.errors import StateFileError
from bridge.ledger import forgetting
from bridge.ledger.backup import back_up
from bridge.ledger.verify import violations
from bridge.ledger.visit import change_and_wipe, look, look_at_once

app = typer.Typer(help="Copy the state file, check it, and take a person's data out.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the commands of this file."""
    root.add_typer(app, name="state")


@app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(help="The file to make.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Copy the state file as it stands at one moment, while the service works. The copy needs no other file.

    To restore it: stop the service, put the copy at `state.path`, remove the files that end in `-wal` and `-shm`.
    """
    try:
        size = back_up(state_path(config), target, replace=force)
    except StateFileError as error:
        fail(error, EXIT_STATE)
    if json:
        print_json({"file": str(target), "bytes": size})
    say(f"copied {size} bytes to {target}")


@app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help="Another state file, such as a backup.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: JsonOption = False,
) -> None:
    """Check that the file is whole and that everything in it fits together. Exit code 1 where it does not.

    It reads the whole file, of one moment, while the service works.
    """
    path = file or state_path(config)
    try:
        found = look_at_once(path, violations)
    except StateFileError as error:
        fail(error, EXIT_STATE)
    if json:
        print_json({"file": str(path), "violations": [asdict(one) for one in found]})
    elif found:
        rows = [(one.name, one.number, one.meaning, ", ".join(one.examples)) for one in found]
        print_table(("violated", "times", "what should be so", "such as"), rows)
    if found:
        say(f"{path}: {len(found)} of its rules are violated; keep the file, and restore a backup")
        raise typer.Exit(EXIT_FAILED)
    say(f"{path}: everything fits together")


@app.command("forget")
def forget(
    address: Annotated[str, typer.Argument(help="The person's address.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    drop_open: Annotated[
        bool,
        typer.Option("--drop-open", help="Drop the person's items that still wait, and forget them too."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Take a person's data out of items, attempts, dead letters, duplicates and kept webhook bodies. Prints a receipt.

    Key, state, times and the ACD's event ID stay. Items that still wait are left unless `--drop-open` is given; those
    whose request is under way or uncertain are always left. Exit code 1 where something is left. The mail servers, the
    ACD, the log and older backups are not touched.
    """
    if "@" not in address.strip("@"):
        fail(StateFileError(f"{address!r} is no address", hint="give it whole, as local@domain"), EXIT_FAILED)
    path = state_path(config)
    try:
        found = look(path, partial(forgetting.holding, address=address))
        waiting = len(found.open) + len(found.under_way)
        say(f"{count(len(found.settled))} settled and {waiting} that still wait hold {address}")
        if found.duplicates:
            say(f"{found.duplicates} records of duplicates, whose items are gone, hold it too")
        ask("Take it out for good?", yes=yes or not (found.settled or waiting or found.duplicates))
        done, wiped = _forget(path, address, found, drop_open=drop_open)
        left = look(path, partial(forgetting.holding, address=address)).keys
    except StateFileError as error:
        fail(error, EXIT_STATE)
    print_json(_receipt(address, done, wiped=wiped, left=left))
    if not wiped:
        say("the WAL still holds it until the service's next checkpoint; run this again to be sure")
    if left:
        say(
            f"{count(len(left))} left, since they still wait; see --drop-open, or settle them and run this again"
        )
    if left or not wiped:
        raise typer.Exit(EXIT_FAILED)


def _forget(
    path: Path, address: str, found: forgetting.Holding, *, drop_open: bool
) -> tuple[forgetting.Forgotten, bool]:
    """Looking for the address takes seconds in a large file, so that it is done before, and nobody waits for it."""
    keys = (*found.settled, *(found.open if drop_open else ()))
    forget_items = partial(forgetting.forget_items, now=round(time.time() * 1000), drop_open=drop_open)
    batches = [partial(forget_items, keys=keys[at : at + BATCH]) for at in range(0, len(keys), BATCH)]
    done, wiped = change_and_wipe(path, [*batches, partial(forgetting.forget_records, address=address)])
    return sum(done, forgetting.Forgotten()), wiped


def _receipt(address: str, done: forgetting.Forgotten, *, wiped: bool, left: Sequence[str]) -> dict[str, Any]:
    """What can be kept: it proves which address was meant to who knows it, and does not tell it to others."""
    salt = secrets.token_hex(16)
    return {
        "at": moment(round(time.time() * 1000)),
        "address_sha256": hashlib.sha256(f"{salt}{address.lower()}".encode()).hexdigest(),
        "salt": salt,
        "sqlite": sqlite3.sqlite_version,
        "wiped": wiped,
        **asdict(done),
        "left": left,
    }
