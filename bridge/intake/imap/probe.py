"""Can this mailbox be watched? Tried for real, for `acd-bridge check --online`."""

from difflib import get_close_matches

from bridge.config.model import Mailbox
from bridge.errors import Problem
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.open_connection import open_connection

KEYS = {
    Kind.DNS: "host",
    Kind.UNREACHABLE: "host",
    Kind.TIMED_OUT: "host",
    Kind.TLS: "security",
    Kind.STARTTLS_MISSING: "security",
    Kind.SIGN_IN_REFUSED: "password",
    Kind.SECRET: "password",
}
"""The setting to look at first for each kind of failure."""


async def probe(mailbox: Mailbox) -> list[Problem]:
    """Connect, sign in, open every folder. Empty where all of it works; changes nothing on the server."""
    table = f"mailbox[{mailbox.name}]"
    try:
        connection = await open_connection(mailbox)
    except MailServerError as failure:
        return [_problem(table, failure)]
    async with connection:
        try:
            return await _try_folders(connection, mailbox.folders, table)
        except MailServerError as failure:
            return [_problem(table, failure)]


async def _try_folders(connection: Connection, folders: tuple[str, ...], table: str) -> list[Problem]:
    missing = []
    for folder in folders:
        try:
            await connection.examine(folder)
        except MailServerError as failure:
            if failure.kind is not Kind.FOLDER_MISSING:
                raise
            missing.append((folder, failure))
    names = await connection.folders() if missing else []
    return [Problem(f"{table}.folders", failure.message, near(folder, names)) for folder, failure in missing]


def near(folder: str, names: list[str]) -> str:
    """A hint that names the folders that were probably meant."""
    by_lower = {name.lower(): name for name in names}
    last = folder.lower().replace("/", ".").rsplit(".", 1)[-1]
    alike = get_close_matches(folder.lower(), by_lower, n=3, cutoff=0.6)
    ends = [name for name in by_lower if name.replace("/", ".").rsplit(".", 1)[-1] == last]
    found = [by_lower[name] for name in dict.fromkeys([*ends, *alike])][:3]
    if found:
        return "did you mean " + " or ".join(repr(name) for name in found) + "?"
    if not names:
        return "the account sees no folder at all"
    return "the account sees " + ", ".join(repr(name) for name in sorted(names)[:10])


def _problem(table: str, failure: MailServerError) -> Problem:
    key = KEYS.get(failure.kind)
    return Problem(f"{table}.{key}" if key else table, failure.message, failure.hint)
