import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from bridge.intake.webhook.reading import BodyReader, Bound
from bridge.intake.webhook.refused import RefusedError

BOUND = Bound(1000, RefusedError(413, "too-large"))


async def test_a_sender_that_is_gone_is_no_defect_of_ours() -> None:
    """A connection that broke before its body was asked for is told as one that breaks later."""
    loop = asyncio.get_running_loop()
    gone = BaseProtocol(loop)
    request: Any = SimpleNamespace(
        content=StreamReader(gone, 2**16, loop=loop), content_length=5, headers={}, transport=None
    )
    reader = BodyReader(most_bytes=1000, seconds=5)
    with pytest.raises(ConnectionError):
        async with reader.body(request, BOUND):
            pass
