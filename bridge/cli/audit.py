"""`acd-bridge audit`: is every mail on the servers accounted for in the state file? Changes nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_FAILED,
    EXIT_STATE,
    EXIT_UNAVAILABLE,
    ConfigOption,
    JsonOption,
    fail,
    load_or_exit,
    print_json,
    print_table,
    say,
)
from bridge.cli.mailbox import mailbox_or_exit
from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.ledger import places, queries
from bridge.ledger.refresh_tokens import visiting
from bridge.ledger.visit import look

MAX_UIDS_SHOWN = 100
"""Unaccounted UIDs that are named of each folder."""
_COLUMNS = ("mailbox", "folder", "baseline", "last_uid", "on_server", "gone", "states", "unaccounted")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderAudit:
    """What was found in one folder, as it is printed."""

    mailbox: str
    folder: str
    uidvalidity: int = 0
    baseline: int = 0
    last_uid: int = 0
    on_server: int = 0
    gone: int = 0
    """Mails that are accounted for and no longer in the folder."""
    states: Mapping[str, int]
    """How many are in each state, those that are gone included."""
    unaccounted: int = 0
    uids: Sequence[int] = ()
    problem: str = ""
    """Why the folder could not be compared."""
    unavailable: bool = False


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("audit")(audit)


def audit(
    mailbox: Annotated[str | None, typer.Argument(help="Only this mailbox.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: JsonOption = False,
) -> None:
    """Compare the mail servers' UIDs with the state file. Exit code 1 where a mail is not accounted for."""
    settings = load_or_exit(config)
    mailboxes = settings.mailbox if mailbox is None else [mailbox_or_exit(settings, mailbox)]
    try:
        look(settings.state.path, queries.totals)
        found = asyncio.run(_audit_all(mailboxes, settings.state.path))
    except StateFileError as error:
        fail(error, EXIT_STATE)
    if json:
        print_json([_as_object(one) for one in found])
    else:
        print_table(_COLUMNS, [_row(one) for one in found])
    for one in found:
        _tell(one)
    if any(one.unaccounted or (one.problem and not one.unavailable) for one in found):
        raise typer.Exit(EXIT_FAILED)
    if any(one.unavailable for one in found):
        raise typer.Exit(EXIT_UNAVAILABLE)


async def _audit_all(mailboxes: Sequence[Mailbox], path: Path) -> list[FolderAudit]:
    return [found for mailbox in mailboxes for found in await _audit_mailbox(mailbox, path)]


async def _audit_mailbox(mailbox: Mailbox, path: Path) -> list[FolderAudit]:
    # The IMAP client is large; other commands do without.
    from bridge.intake.imap.failure import MailServerError  # noqa: PLC0415
    from bridge.intake.imap.open_connection import open_connection  # noqa: PLC0415 - as above
    from bridge.intake.imap.token import token_source  # noqa: PLC0415 - as above

    found: list[FolderAudit] = []
    try:
        async with await open_connection(mailbox, token_source(mailbox, visiting(path))) as connection:
            for folder in mailbox.folders:
                found.append(await _audit_folder(connection, mailbox.name, folder, path))  # noqa: PERF401 - what was found before a failure is kept
    except MailServerError as failure:
        done = {one.folder for one in found}
        found += [
            _not_compared(mailbox.name, folder, failure.message, unavailable=True)
            for folder in mailbox.folders
            if folder not in done
        ]
    return found


async def _audit_folder(connection: Any, mailbox: str, folder: str, path: Path) -> FolderAudit:
    from bridge.intake.imap.audit import audit_folder  # noqa: PLC0415 - the IMAP client is large

    # First the cursor, then the server: what comes meanwhile is above the cursor's last UID.
    cursor = look(path, partial(queries.cursor, source=mailbox, folder=folder))
    if cursor is None:
        return _not_compared(mailbox, folder, "the service has not seen this folder yet")
    selected = await connection.examine(folder)
    if selected.uidvalidity != cursor.uidvalidity:
        words = f"its UIDVALIDITY is {selected.uidvalidity} now; the service has still to read it anew"
        return _not_compared(mailbox, folder, words)

    async def states_of(source: str, folder: str, uidvalidity: int, uids: Sequence[int]) -> dict[int, str]:
        asked = partial(places.states, source=source, folder=folder, uidvalidity=uidvalidity, uids=uids)
        return await asyncio.to_thread(look, path, asked)

    result = await audit_folder(connection, selected, cursor, states_of)
    states = look(path, partial(_totals, cursor=cursor))
    return FolderAudit(
        mailbox=mailbox,
        folder=folder,
        uidvalidity=result.uidvalidity,
        baseline=result.baseline,
        last_uid=result.last_uid,
        on_server=result.on_server,
        gone=max(0, sum(states.values()) - (result.on_server - result.unaccounted)),
        states=states,
        unaccounted=result.unaccounted,
        uids=result.uids[:MAX_UIDS_SHOWN],
    )


def _totals(conn: Any, cursor: FolderCursor) -> dict[str, int]:
    numbering = (cursor.source, cursor.folder, cursor.uidvalidity)
    return places.totals(conn, *numbering, cursor.baseline, cursor.last_uid)


def _not_compared(mailbox: str, folder: str, problem: str, *, unavailable: bool = False) -> FolderAudit:
    return FolderAudit(mailbox=mailbox, folder=folder, states={}, problem=problem, unavailable=unavailable)


def _as_object(one: FolderAudit) -> dict[str, Any]:
    return {
        "mailbox": one.mailbox,
        "folder": one.folder,
        "uidvalidity": one.uidvalidity,
        "baseline": one.baseline,
        "last_uid": one.last_uid,
        "on_server": one.on_server,
        "gone": one.gone,
        "states": dict(sorted(one.states.items())),
        "unaccounted": None if one.problem else one.unaccounted,
        "uids": list(one.uids),
        "problem": one.problem,
    }


def _row(one: FolderAudit) -> tuple[object, ...]:
    states = ", ".join(f"{state} {count}" for state, count in sorted(one.states.items()))
    counts = (one.baseline, one.last_uid, one.on_server, one.gone, states)
    return (one.mailbox, one.folder, *counts, "not compared" if one.problem else one.unaccounted)


def _tell(one: FolderAudit) -> None:
    place = f"{one.mailbox}/{one.folder}"
    if one.problem:
        say(f"{place}: not compared: {one.problem}")
    elif one.unaccounted:
        more = ", ..." if one.unaccounted > len(one.uids) else ""
        say(f"{place}: unaccounted: {', '.join(map(str, one.uids))}{more}")
        say(
            "hint: the running service finds them by its own audit, at the latest 6 hours from now, and takes them in"
        )
