"""The whole bridge in this process, between a mail server and a simulated ACD, for tests of the whole way."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.app import Application
from bridge.config.model import Config
from bridge.ledger import queries
from bridge.ledger.duplicates import Duplicate, newest
from bridge.ledger.item import Attempt, Item, ItemFilter
from bridge.ledger.visit import look
from bridge.routing.compile import compile_routes

TICKETS = {"name": "tickets", "when": "kind == 'ticket'", "event": {"type": "Ticket", "group": "Billing"}}
MAILS = {"name": "mails", "event": {"type": "Email", "group": "Support"}}


def mailbox(name: str, port: int, **more: Any) -> dict[str, Any]:
    # pymap does not tell of a mail that came between EXAMINE and IDLE; the poll then finds it.
    plain: dict[str, Any] = {
        "poll": 1,
        "name": name,
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": name,
    }
    return plain | {"password": "secret"} | more


def config_of(
    folder: Path,
    acd: Simulator,
    *,
    mailboxes: Sequence[dict[str, Any]] = (),
    webhooks: Sequence[dict[str, Any]] = (),
    routes: Sequence[dict[str, Any]] = (TICKETS, MAILS),
    same_case: Sequence[dict[str, Any]] = (),
    **acd_settings: Any,
) -> Config:
    connection = {"url": acd.url, "clients_id": 1, "token": acd.settings.token}
    return Config.model_validate(
        {
            "acd": connection | {"retry_first": 0.05, "retry_cap": 0.2} | acd_settings,
            "state": {"path": str(folder / "state.db")},
            "mailbox": list(mailboxes),
            "webhook": list(webhooks),
            "listen": {"webhooks": "127.0.0.1:0", "admin": "127.0.0.1:0"},
            "route": list(routes),
            "same_case": list(same_case),
        }
    )


@asynccontextmanager
async def simulator(**settings: Any) -> AsyncIterator[Simulator]:
    running = await Simulator.start(Settings(**settings))
    try:
        yield running
    finally:
        await running.close()


@asynccontextmanager
async def bridge(config: Config) -> AsyncIterator[Application]:
    router, problems = compile_routes(config.route, zone=config.acd.zone())
    assert problems == []
    app = await Application.start(config, router)
    try:
        yield app
    finally:
        await app.stop()


def hook_url(app: Application, name: str) -> str:
    assert app.parts.webhooks is not None
    return f"http://127.0.0.1:{app.parts.webhooks.port}/hooks/{name}"


def items(config: Config, **wanted: Any) -> list[Item]:
    """The items of the state file, oldest first."""
    return look(config.state.path, partial(queries.items, wanted=ItemFilter(limit=10_000, **wanted)))[::-1]


def attempts(config: Config, item: Item) -> list[Attempt]:
    return look(config.state.path, partial(queries.attempts, item_id=item.id))


def duplicates(config: Config) -> list[Duplicate]:
    return look(config.state.path, partial(newest, limit=100))


def mails_watched(config: Config) -> bool:
    """Whether every folder has its baseline on disk."""
    folders = sum(len(one.folders) for one in config.mailbox)
    return len(look(config.state.path, queries.cursors)) == folders


def totals(config: Config) -> dict[str, int]:
    return look(config.state.path, queries.totals)


def mail(number: int | str, *, subject: str = "", sender: str = "anna@example.org", more: str = "") -> bytes:
    """A small mail with a Message-ID of its own."""
    head = f"From: {sender}\r\nTo: support@example.net\r\nSubject: {subject or f'Mail {number}'}\r\n"
    return f"{head}Message-ID: <{number}@example.org>\r\n{more}\r\nHello\r\n".encode()
