"""The answers of the admin address: problems (RFC 9457), and headers that keep browsers careful."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

SAFE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "acd-bridge",
}


async def add_safe_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Put the headers on every answer, also on errors."""
    response.headers.update(SAFE_HEADERS)


def problem(
    status: int, detail: str = "", *, errors: Sequence[str] = (), retry_after: int = 0
) -> web.Response:
    """An error (RFC 9457): `about:blank` with the status's own title, and the reasons one by one."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = list(errors)
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/problem+json", headers=headers
    )


def json_answer(value: Any) -> web.Response:
    """A value as JSON. What JSON does not know is shown as text."""
    body = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    return web.Response(body=body, content_type="application/json")
