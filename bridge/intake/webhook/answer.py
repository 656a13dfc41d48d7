"""The answers, all fixed: nothing of a request is ever in its answer.

Some helpdesks act on the keys of an answer, some call an empty or non-JSON answer to a good request a
failure, and some switch a webhook off for good at a 410. So an accepted request gets 200 and one small
JSON object.
"""

from aiohttp import web

from bridge.intake.webhook.refused import RefusedError

_ACCEPTED = b'{"status":"accepted"}'
_SERVER = {"Server": "acd-bridge"}


def accepted() -> web.Response:
    """The message is on disk, or was so before."""
    return web.Response(body=_ACCEPTED, content_type="application/json", headers=_SERVER)


def malformed(status: int) -> web.Response:
    """The answer to what is no HTTP: the status alone, and the connection ends."""
    answer = web.Response(status=status, headers=_SERVER)
    answer.force_close()
    return answer


def refused(why: RefusedError) -> web.Response:
    """An empty body with the refusal's status."""
    answer = web.Response(status=why.status, headers=_SERVER)
    if why.retry_after is not None:
        answer.headers["Retry-After"] = str(why.retry_after)
    if why.status == 405:
        answer.headers["Allow"] = "POST"
    if why.status in {401, 408, 413}:
        answer.force_close()
    return answer
