from collections.abc import AsyncIterator

import pytest

from bridge.acd.simulator.server import Simulator
from bridge.testing.mail_server import MailServer
from tests.dovecot import dovecot, shared_dovecot
from tests.whole import simulator

__all__ = ["dovecot", "shared_dovecot"]


@pytest.fixture
async def acd() -> AsyncIterator[Simulator]:
    """A simulated ACD."""
    async with simulator() as running:
        yield running


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    """A mail server in this process, with the accounts `support` and `sales`."""
    server = await MailServer.start(["support", "sales"])
    yield server
    await server.close()
