"""`acd-bridge mailbox backfill`: an order to the service to read mail that came before a folder was watched."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import mailbox as mailbox_commands
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_STATE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    YesOption,
    ask,
    fail,
    load_or_exit,
    print_json,
    run_async,
    say,
)
from bridge.cli.mailbox import NameArgument, mailbox_or_exit
from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.errors import BridgeError, StateFileError
from bridge.history import HistoryOrder
from bridge.ledger import orders, places, queries
from bridge.ledger.visit import change, look

if TYPE_CHECKING:
    from bridge.intake.imap.preview import Preview


def register(_: typer.Typer) -> None:
    """Add the command of this file to the group of `bridge.cli.mailbox`."""
    mailbox_commands.app.command("backfill")(backfill)


def backfill(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    since: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="Mails since this day began in UTC, such as 2026-11-01."),
    ],
    folder: Annotated[
        list[str] | None, typer.Option("--folder", help="Only this folder; may be given again.")
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Have old mail posted, behind all live mail. Counts it first, and asks.

    The running service does the work, or the next one that is started; `status` shows how far it is.
    """
    from bridge.intake.imap.first_start import midnight  # noqa: PLC0415 - the IMAP client is large

    settings = load_or_exit(config)
    mailbox = mailbox_or_exit(settings, name)
    path = settings.state.path
    cursors = [_cursor(path, mailbox, one) for one in _folders(mailbox, folder)]
    moment = midnight(since.date())
    found = run_async(_count(mailbox, cursors, moment, path))
    wanted = [one.folder for one in found if one.new]
    if not json:
        for one in found:
            say(
                f"{name}/{one.folder}: {one.found} mails since then; {one.known} known, up to {one.new} to post"
            )
    if wanted:
        ask(f"Post up to {sum(one.new for one in found)} old mails?", yes=yes)
        _give(path, [HistoryOrder(source=name, folder=one, since=moment) for one in wanted])
    _tell(mailbox, found, wanted, json=json)


def _folders(mailbox: Mailbox, chosen: Sequence[str] | None) -> Sequence[str]:
    for folder in chosen or ():
        if folder not in mailbox.folders:
            watched = ", ".join(repr(one) for one in mailbox.folders)
            problem = f"folder {folder!r} of mailbox {mailbox.name!r} is not watched"
            fail(BridgeError(problem, hint=f"the configuration has {watched}"), EXIT_USAGE)
    return list(dict.fromkeys(chosen)) if chosen else mailbox.folders


def _cursor(path: Path, mailbox: Mailbox, folder: str) -> FolderCursor:
    try:
        cursor = look(path, partial(queries.cursor, source=mailbox.name, folder=folder))
    except StateFileError as error:
        fail(error, EXIT_STATE)
    if cursor is None:
        problem = f"{mailbox.name}/{folder} was never watched so far"
        fail(BridgeError(problem, hint="start the service once; or set `start` to a date before"), EXIT_STATE)
    return cursor


async def _count(
    mailbox: Mailbox, cursors: Sequence[FolderCursor], since: int, path: Path
) -> list["Preview"]:
    from bridge.intake.imap.open_connection import open_connection  # noqa: PLC0415 - the IMAP client is large
    from bridge.intake.imap.preview import preview  # noqa: PLC0415 - as above
    from bridge.intake.imap.token import token_source  # noqa: PLC0415 - as above
    from bridge.ledger.refresh_tokens import visiting  # noqa: PLC0415 - as above

    found = []
    async with await open_connection(mailbox, token_source(mailbox, visiting(path))) as connection:
        for cursor in cursors:
            selected = await connection.examine(cursor.folder)
            if selected.uidvalidity != cursor.uidvalidity:
                problem = f"{cursor.source}/{cursor.folder} was numbered anew by its server"
                hint = "let the service run for a moment, so that it finds its place again"
                fail(BridgeError(problem, hint=hint), EXIT_UNAVAILABLE)
            found.append(await preview(connection, selected, cursor, since, partial(_states, path, cursor)))
    return found


def _states(path: Path, cursor: FolderCursor, uids: Sequence[int]) -> Mapping[int, str]:
    return look(
        path,
        partial(
            places.states,
            source=cursor.source,
            folder=cursor.folder,
            uidvalidity=cursor.uidvalidity,
            uids=uids,
        ),
    )


def _give(path: Path, wanted: Sequence[HistoryOrder]) -> None:
    """All orders, or none of them."""

    def write(conn: sqlite3.Connection) -> None:
        now = round(time.time() * 1000)
        for order in wanted:
            orders.ask(conn, order, now)

    try:
        change(path, write)
    except StateFileError as error:
        fail(error, EXIT_STATE)


def _tell(mailbox: Mailbox, found: Sequence["Preview"], ordered: Sequence[str], *, json: bool) -> None:
    if json:
        folders = [
            {"folder": one.folder, "found": one.found, "known": one.known, "to_post": one.new}
            for one in found
        ]
        print_json({"mailbox": mailbox.name, "folders": folders, "ordered": list(ordered)})
    elif ordered:
        say(f"ordered; it begins within {mailbox.poll:g} seconds, or when the service is started")
    else:
        say("there is nothing to post")
