"""Can this mailbox be watched? Tried for real, for `acd-bridge check --online`."""

from difflib import get_close_matches

from bridge.config.mailbox import Mailbox
from bridge.errors import Problem
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.token import token_source
from bridge.intake.oauth.store import RefreshTokens

KEYS = {
    Kind.DNS: "host",
    Kind.UNREACHABLE: "host",
    Kind.TIMED_OUT: "host",
    Kind.TLS: "security",
    Kind.STARTTLS_MISSING: "security",
    Kind.SIGN_IN_REFUSED: "password",
    Kind.SECRET: "password",
    Kind.TOKEN_REFUSED: "oauth",
    Kind.TOKEN_THROTTLED: "oauth",
    Kind.TOKEN_UNAVAILABLE: "oauth.token_url",
    Kind.NOT_CONNECTED: "username",
}
"""The setting to look at first for each kind of failure."""
NOT_THERE = frozenset({
    Kind.DNS, Kind.UNREACHABLE, Kind.TIMED_OUT, Kind.LOST, Kind.BUSY, Kind.TOKEN_UNAVAILABLE,
    Kind.TOKEN_THROTTLED,
})  # fmt: skip
"""Failures that say nothing about the configuration: the server could not be asked, or not now."""


async def probe(mailbox: Mailbox, refresh_tokens: RefreshTokens | None = None) -> list[Problem]:
    """Connect, sign in, open every folder. Empty where all of it works; changes nothing on the server.

    `refresh_tokens` keeps rotated ones. Raises nothing but cancellation.
    """
    table = f"mailbox[{mailbox.name}]"
    try:
        connection = await open_connection(mailbox, token_source(mailbox, refresh_tokens))
    except MailServerError as failure:
        return [problem_of(mailbox, failure)]
    async with connection:
        try:
            return await _try_folders(connection, mailbox.folders, table)
        except MailServerError as failure:
            return [problem_of(mailbox, failure)]


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


def problem_of(mailbox: Mailbox, failure: MailServerError) -> Problem:
    """The failure at the setting to look at first."""
    key = KEYS.get(failure.kind)
    if key == "password" and mailbox.oauth is not None:
        key = "oauth"
    table = f"mailbox[{mailbox.name}]"
    return Problem(
        f"{table}.{key}" if key else table,
        failure.message,
        failure.hint,
        unreachable=failure.kind in NOT_THERE,
    )
