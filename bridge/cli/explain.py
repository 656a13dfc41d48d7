"""`acd-bridge explain`: an item's whole story, and what happens next."""

import sqlite3
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_STATE,
    ConfigOption,
    JsonOption,
    fail,
    load_or_exit,
    print_json,
    print_table,
    printable,
    say,
)
from bridge.config.model import Config
from bridge.errors import BridgeError, StateFileError
from bridge.ledger.finding import MOST, find
from bridge.ledger.item import Item
from bridge.ledger.visit import look
from bridge.mapping import Mapper
from bridge.retracing import retraced
from bridge.routing.compile import compile_routes
from bridge.story import Known, Tried, in_words, known_of, moment, story

KeyArgument = Annotated[
    str,
    typer.Argument(help="An item's key or its beginning, a Message-ID, a ticket number, or an ACD event ID."),
]


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("explain")(explain)


def explain(
    key: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: JsonOption = False,
) -> None:
    """Tell an item's whole story: how it came, what was read, which route, each attempt, and what happens next.

    Where several items fit, they are listed.
    """
    settings = load_or_exit(config)
    try:
        found, known = look(settings.state.path, partial(_look_up, words=key))
    except StateFileError as error:
        fail(error, EXIT_STATE)
    if known is None:
        _list(found, json=json)
        return
    told = story(known, _tried(known, settings, config))
    if json:
        print_json(told)
        return
    for line in in_words(told):
        sys.stdout.write(printable(line) + "\n")


def _look_up(conn: sqlite3.Connection, words: str) -> tuple[list[Item], Known | None]:
    """What fits, and everything about it where it is one item. Raises StateFileError where nothing fits."""
    found = find(conn, words)
    if not found:
        raise StateFileError(
            f"there is no item of this key, event, ticket number or Message-ID: {words!r}",
            hint="`acd-bridge items list` shows the newest ones; old ones are removed after state.retention_days",
        )
    return found, known_of(conn, found[0]) if len(found) == 1 else None


def _list(found: list[Item], *, json: bool) -> None:
    if json:
        print_json([{"key": one.key, "state": one.state, "source": one.source} for one in found])
    else:
        columns = ("key", "accepted", "source", "state", "event", "subject")
        rows = [
            (
                one.key,
                moment(one.accepted_at),
                one.source,
                one.state,
                one.acd_event_id,
                one.message.get("subject"),
            )
            for one in found
        ]
        print_table(columns, rows)
    say(f"{'at least ' if len(found) == MOST else ''}{len(found)} items fit; explain one by its key")


def _tried(known: Known, settings: Config, file: Path) -> Tried | None:
    """The routes that do not match, as they are now; None where there is nothing to ask them about."""
    if known.raw is None:
        router, problems = compile_routes(settings.route, zone=settings.acd.zone())
        return None if problems else retraced(known.item, router)
    try:
        mapper = Mapper(settings, str(file))
        mapped = mapper.map(known.raw, source=known.item.source, headers={}, received_at=datetime.now(UTC))
    except BridgeError as error:
        say(f"the routes are not tried again: {error.message}")
        return None
    return None if mapped.decision is None else mapped.decision.tried
