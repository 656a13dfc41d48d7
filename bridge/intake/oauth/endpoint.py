"""One exchange with a token server: bounded in time and size, and never led elsewhere."""

import asyncio
import ssl

import aiohttp

from bridge import __version__
from bridge.intake.oauth.answer import Reply
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.grant import Grant

SECONDS = 30.0
"""The bound of the whole exchange."""
MAX_BYTES = 256 * 1024
"""The largest answer."""
_HEADERS = {"Accept": "application/json", "User-Agent": f"acd-bridge/{__version__}"}


async def ask(grant: Grant, tls: ssl.SSLContext) -> Reply:
    """Post the form (RFC 6749 section 3.2). Raises TokenFailure, TRANSIENT, where no whole answer comes.

    A session of its own each time: tokens are asked for about once an hour.
    """
    try:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession(
                headers=_HEADERS, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.post(grant.url, data=dict(grant.form), ssl=tls, allow_redirects=False) as response,
        ):
            body = await response.content.read(MAX_BYTES)
            while len(body) < MAX_BYTES and not response.content.at_eof():
                body += await response.content.read(MAX_BYTES - len(body))
            return Reply(response.status, dict(response.headers), body)
    except TimeoutError as error:
        raise _unreachable(grant, f"no answer within {SECONDS:g} seconds") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _unreachable(grant, type(error).__name__) from error


def _unreachable(grant: Grant, why: str) -> TokenFailure:
    return TokenFailure(
        State.TRANSIENT,
        f"the token server {grant.url} cannot be asked: {why}",
        hint="can this machine reach it? A firewall may let only the mail server through",
    )
