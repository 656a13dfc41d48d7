import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from bridge.acd.simulator.server import Simulator
from tests.desks import Desks
from tests.machine.container import Container
from tests.machine.debian import CannotBeMadeError, debian_root, wheel
from tests.machine.service import Service, install

CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = {{ credential = "acd-token" }}
settle = 0.5
retry_first = 0.05
retry_cap = 0.2
[[webhook]]
name = "desk"
unsigned = true
[listen]
webhooks = "127.0.0.1:{port}"
[[route]]
name = "all"
event = {{ type = "Ticket", group = "Support" }}
"""
"""The state file is where it is if nothing else is said: the unit must have made that place."""


@pytest.fixture(scope="package")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted Debian with the bridge installed in it."""
    wheels = tmp_path_factory.mktemp("wheels")
    try:
        booted = Container.boot(debian_root(), bound={wheels: "/wheels"})
    except CannotBeMadeError as error:
        pytest.skip(f"no real systemd: {error}")
    try:
        install(booted, f"/wheels/{wheel(wheels).name}")
        yield booted
    finally:
        booted.close()


@dataclass
class Stage:
    """A configured service, which was not started yet, and what it works between."""

    service: Service
    acd: Simulator
    port: int

    @property
    def desks(self) -> Desks:
        """New helpdesks that post to the service."""
        return Desks(f"http://127.0.0.1:{self.port}/hooks/desk")


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def make_stage(container: Container, acd: Simulator) -> AsyncIterator[MakeStage]:
    """Configures the service, with settings of systemd's for this test, and removes it afterwards."""
    async with AsyncExitStack() as at_the_end:

        async def make(**settings: str) -> Stage:
            port = free_port()
            config = CONFIG.format(acd=acd.url, port=port)
            service = await Service.configured(container, config, settings)
            at_the_end.push_async_callback(service.removed)
            return Stage(service, acd, port)

        yield make


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
