"""What stands around the service: an ACD that fails now and then, and a mail server that believes a token server."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from bridge.acd.simulator.events import Event
from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from tests.dovecot import Dovecot
from tests.token_server import TokenServer
from tests.torture.auditor import Done

CREATE, LIST = "/acd/events/create", "/acd/events"
FAULTS = (
    Fault(kind=Kind.LATENCY, when=Stage.AFTER_READING, seconds=0.02, probability=0.1, path=CREATE),
    # Answers that come late make it likely that a kill hits between creation and answer.
    Fault(kind=Kind.LATENCY, when=Stage.AFTER_DOING, seconds=0.03, probability=0.3, path=CREATE),
    Fault(kind=Kind.DROP, when=Stage.BEFORE_READING, probability=0.03, path=CREATE),
    Fault(kind=Kind.DROP, when=Stage.AFTER_READING, probability=0.03, path=CREATE),
    Fault(kind=Kind.DROP, when=Stage.AFTER_DOING, probability=0.05, path=CREATE),
    Fault(kind=Kind.HALF, probability=0.04, path=CREATE),
    Fault(kind=Kind.HALF, probability=0.1, path=LIST),
)

CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = "simulator"
settle = 0.5
retry_first = 0.05
retry_cap = 0.2
[state]
path = "{state}"
[flood]
burst_least = 1000000
sender = 0
conversation = 0
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:{port}"
[[route]]
name = "tickets without duplicates"
when = "kind == 'ticket' and group == 'Billing'"
event = {{ type = "Ticket", group = "Billing" }}
[[route]]
name = "all"
event = {{ type = "Ticket", group = "Support" }}
"""
MAILBOX = """
[[mailbox]]
name = "support"
host = "127.0.0.1"
port = {port}
security = "none"
username = "{user}"
start = "all"
poll = 1
after_delivery = {{ action = "move", folder = "Done" }}
[mailbox.oauth]
provider = "google"
client_id = "{user}"
client_secret = "s"
refresh_token = "refresh-0"
token_url = "{tokens}"
"""


@dataclass(frozen=True, slots=True)
class MailHost:
    """A mail server, and the token server that it asks about every token."""

    dovecot: Dovecot
    tokens: TokenServer


@dataclass(slots=True)
class World:
    """One ordeal's surroundings. The service knows them by its configuration alone."""

    folder: Path
    acd: Simulator
    port: int
    user: str
    host: MailHost | None
    done: list[Done] = field(default_factory=list)
    """What the ACD did, in that order."""

    @property
    def state(self) -> Path:
        return self.folder / "state.db"

    @property
    def config(self) -> Path:
        return self.folder / "bridge.toml"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/desk"


@asynccontextmanager
async def world(folder: Path, seed: int, host: MailHost | None) -> AsyncIterator[World]:
    """A world with a configuration for it; nothing is there yet but empty folders."""
    folder.mkdir()
    async with AsyncExitStack() as stack:
        acd = await Simulator.start(Settings(seed=seed))
        stack.push_async_callback(acd.close)
        made = World(folder, acd, _free_port(), f"user{seed}", host)
        stack.enter_context(mock.patch.object(acd.store, "create", _noting(made)))
        made.config.write_text(_configuration(made))
        acd.faults.add(*FAULTS)
        yield made


def _noting(world: World) -> Any:
    create = world.acd.store.create

    def noted(fields: dict[str, Any], raw: bytes) -> tuple[Event, bool]:
        event, updated = create(fields, raw)
        world.done.append(Done(fields["Subject"], event.number, created=not updated))
        return event, updated

    return noted


def _configuration(world: World) -> str:
    text = CONFIG.format(acd=world.acd.url, state=world.state, port=world.port)
    if world.host is None:
        return text
    return text + MAILBOX.format(port=world.host.dovecot.port, user=world.user, tokens=world.host.tokens.url)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
