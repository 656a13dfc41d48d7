"""Every socket test of the listener runs on the loop of production, uvloop, and on asyncio's own."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Their transports are not of the same classes: what fits one may not fit the other."""
    assert config is item.config
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
