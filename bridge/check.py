"""What can be wrong with a configuration beyond its form: offline, and against the servers it names."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Collection, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.config.load import load_sound_part, secret_problems, secrets_of
from bridge.config.model import Config
from bridge.config.secret import SecretError
from bridge.config.sound import Sound
from bridge.errors import AcdError, Problem
from bridge.intake.webhook.preset import problems_of as webhook_problems
from bridge.ledger.refresh_tokens import visiting
from bridge.mail_rules import compile_mail_rules
from bridge.notify.signature import HOW_TO_MAKE_ONE, key_of
from bridge.routing.compile import compile_routes, is_template

ONLINE_SECONDS = 60.0
"""The bound of each server's check; all run at once."""
STATE_DIRECTORIES = Path("/var/lib")
"""Where systemd makes a service's StateDirectory= at its start (systemd.exec(5))."""


def whole_file(file: Path) -> Sound:
    """What of the file is sound, with every problem of it at once. Raises ConfigError where it is no TOML."""
    found = load_sound_part(file)
    if found.config is None:
        return found
    beyond = [problem for problem in problems(found.config) if found.concerns(problem)]
    return replace(found, problems=[*found.problems, *beyond])


def problems(config: Config) -> list[Problem]:
    """Every problem found without a network: routes, webhooks, secrets, certificates, state file."""
    _, of_routes = compile_routes(config.route, zone=config.acd.zone())
    return [
        *of_routes,
        *compile_mail_rules(config.mail)[1],
        *(problem for webhook in config.webhook for problem in webhook_problems(webhook)),
        *secret_problems(config),
        *_notify_problems(config),
        *_certificate_problems(config),
        *_state_problems(config.state.path),
    ]


def given_by_the_service_manager(config: Config) -> set[str]:
    """Keys whose problems say nothing where systemd did not start this process, since it gives them then."""
    if "CREDENTIALS_DIRECTORY" in os.environ:
        return set()
    keys = {key for key, secret in secrets_of(config) if secret.credential is not None}
    folder = config.state.path.parent
    if STATE_DIRECTORIES in folder.parents and not os.access(folder, os.F_OK):
        keys.add("state.path")
    return keys


def not_asked(config: Config, given: Collection[str]) -> list[Problem]:
    """The servers that `online_problems` leaves out, since `given` holds a secret that they want."""
    servers = [f"mailbox[{mailbox.name}]" for mailbox in config.mailbox] + ["acd"]
    return [
        Problem(server, "the server is not asked, as its secret is not here", "set $CREDENTIALS_DIRECTORY")
        for server in servers
        if _has_secret_in(server, given)
    ]


def _has_secret_in(server: str, given: Collection[str]) -> bool:
    return any(key.startswith(f"{server}.") for key in given)


async def online_problems(config: Config, given: Collection[str] = ()) -> list[Problem]:
    """Every problem that the mail servers and the ACD show: each mailbox's sign-in and folders, the ACD's
    token, and the names of types and groups that the routes give.

    `given` are keys of secrets that this process does not have; their servers are not asked.
    """
    # The clients of IMAP and HTTP are large; the offline check and `map` do without.
    from bridge.intake.imap.probe import probe  # noqa: PLC0415

    tokens = visiting(config.state.path)
    checks = [
        _bounded(f"mailbox[{mailbox.name}]", probe(mailbox, tokens))
        for mailbox in config.mailbox
        if not _has_secret_in(f"mailbox[{mailbox.name}]", given)
    ]
    if not _has_secret_in("acd", given):
        checks.append(_bounded("acd.url", _acd_problems(config)))
    return [problem for found in await asyncio.gather(*checks) for problem in found]


async def _bounded(key: str, check: Coroutine[Any, Any, list[Problem]]) -> list[Problem]:
    try:
        async with asyncio.timeout(ONLINE_SECONDS):
            return await check
    except TimeoutError:
        what = f"no answer within {ONLINE_SECONDS:g} seconds"
        return [Problem(key, what, "can this machine reach the server?", unreachable=True)]


async def _acd_problems(config: Config) -> list[Problem]:
    from bridge.acd.client import AcdClient  # noqa: PLC0415 - as above
    from bridge.acd.directory import Directory  # noqa: PLC0415 - as above

    try:
        async with AcdClient(config.acd, token=config.acd.token.reveal) as client:
            await client.event_types()
            return await _name_problems(config, Directory(client, config.acd.event_types))
    except AcdError as error:
        return [_acd_problem("acd", error)]


def _acd_problem(key: str, error: AcdError) -> Problem:
    from bridge.acd.failure import AcdConnectionLost, AcdLater, AcdUnreachable  # noqa: PLC0415 - as above

    not_there = isinstance(error, AcdUnreachable | AcdConnectionLost | AcdLater)
    return Problem(key, error.message, error.hint, unreachable=not_there)


async def _name_problems(config: Config, directory: Any) -> list[Problem]:
    """Names that the ACD does not have, or has twice. What a template makes is known only per message."""
    found: list[Problem] = []
    for key, name in _names(config):
        resolve = directory.type_id if key.endswith(".type") else directory.group_id
        try:
            await resolve(name)
        except AcdError as error:
            found.append(_acd_problem(key, error))
    return found


def _names(config: Config) -> Iterator[tuple[str, str]]:
    for route in config.route:
        for field in ("type", "group") if route.event else ():
            value = getattr(route.event, field)
            if isinstance(value, str) and not is_template(value):
                yield f"route[{route.name}].event.{field}", value.strip()


def _notify_problems(config: Config) -> Iterator[Problem]:
    """Secrets that can be read, and that nothing can be signed with."""
    for notify in config.notify:
        for number, secret in enumerate(notify.secrets):
            with contextlib.suppress(SecretError):  # said with the other secrets
                if key_of(secret.reveal()) is None:
                    what = "the secret is not whsec_ and base64 of 24 to 64 bytes"
                    yield Problem(f"notify[{notify.name}].secrets[{number}]", what, HOW_TO_MAKE_ONE)


def _certificate_problems(config: Config) -> Iterator[Problem]:
    files = [("acd.ca_file", config.acd.ca_file)]
    files += [(f"mailbox[{mailbox.name}].ca_file", mailbox.ca_file) for mailbox in config.mailbox]
    files += [(f"notify[{notify.name}].ca_file", notify.ca_file) for notify in config.notify]
    for key, file in files:
        try:
            if file is not None:
                ssl.create_default_context(cafile=file)
        except OSError as error:
            reason = error.strerror or "no certificate in it"
            yield Problem(
                key, f"{str(file)!r} cannot be used: {reason}", "give a readable file with certificates (PEM)"
            )


def _state_problems(path: Path) -> Iterator[Problem]:
    """The folder must take the state file and the journals that SQLite lays beside it."""
    try:
        yield from _place_problems(path)
    except OSError as error:
        yield Problem("state.path", f"cannot be used: {error.strerror}", "is it the right path?")


def _place_problems(path: Path) -> Iterator[Problem]:
    folder = path.absolute().parent
    if not folder.is_dir():
        hint = "make it for the service's user, or give StateDirectory= in the unit"
        yield Problem("state.path", f"there is no folder {str(folder)!r}", hint)
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Problem(
            "state.path", f"this user cannot write in {str(folder)!r}", "run it as the service's user"
        )
    elif path.is_dir() or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        yield Problem(
            "state.path", f"{str(path)!r} is no file that this user can write", "is it the right path?"
        )
