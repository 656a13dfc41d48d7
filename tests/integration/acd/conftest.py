import os
from collections.abc import AsyncIterator

import pytest

from bridge.acd.client import AcdClient
from bridge.acd.simulator import Settings, Simulator
from bridge.config.acd import Acd

TOKEN = "conformance"


def config_of(url: str, **changes: object) -> Acd:
    return Acd.model_validate(
        {"url": url, "clients_id": 1, "token": TOKEN, "timeout": 5, "concurrency": 2} | changes
    )


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A fresh simulator on a port of its own."""
    started = await Simulator.start(Settings(token=TOKEN))
    yield started
    await started.close()


@pytest.fixture
async def acd(simulator: Simulator) -> AsyncIterator[AcdClient]:
    """A client of the simulator."""
    async with AcdClient(config_of(simulator.url), token=lambda: TOKEN) as client:
        yield client


@pytest.fixture(params=["simulator", "real"])
async def any_acd(request: pytest.FixtureRequest) -> AsyncIterator[AcdClient]:
    """A client of the simulator, and of a real ACD where the environment names one. Only for reading."""
    if request.param == "simulator":
        started = await Simulator.start(Settings(token=TOKEN))
        async with AcdClient(config_of(started.url), token=lambda: TOKEN) as client:
            yield client
        await started.close()
        return
    url = os.environ.get("ACD_BRIDGE_TEST_URL")
    if not url:
        pytest.skip("ACD_BRIDGE_TEST_URL, _TOKEN and _CLIENTS_ID name no real ACD")
    config = config_of(url, clients_id=int(os.environ["ACD_BRIDGE_TEST_CLIENTS_ID"]))
    async with AcdClient(config, token=lambda: os.environ["ACD_BRIDGE_TEST_TOKEN"]) as client:
        yield client
