"""One webhook's door: the checks in their order, and the handing over.

client address -> size -> body -> signature, freshness, password -> rate -> decompression -> mapping ->
on disk -> 200. Nothing is parsed before it was proved genuine, and nothing is acknowledged before it is
on disk. The rate is that of believed requests: a stranger's garbage does not use it up.
"""

import math
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aiohttp
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bridge.errors import BridgeError
from bridge.intake.handover import Handover, Incoming, Unreadable
from bridge.intake.webhook.answer import accepted, refused
from bridge.intake.webhook.authentication import Authentication, SecretsMissingError
from bridge.intake.webhook.client import IPAddress, IPNetwork, client_address, is_in
from bridge.intake.webhook.doubted import DoubtedClients
from bridge.intake.webhook.limits import Limits
from bridge.intake.webhook.log_pace import LogPace
from bridge.intake.webhook.mapping import map_body, unreadable
from bridge.intake.webhook.rate import TokenBucket
from bridge.intake.webhook.reading import BodyReader, Bound
from bridge.intake.webhook.refused import RefusedError, busy
from bridge.intake.webhook.signature import SignedRequest
from bridge.intake.webhook.source import Source
from bridge.intake.webhook.tally import Tally
from bridge.intake.webhook.unzip import BrokenEncodingError, decoded
from bridge.message import Noticed
from bridge.points import Point, passing

log = structlog.get_logger("bridge.webhook")

_BROKEN_TRANSFER = (aiohttp.ClientPayloadError, HttpProcessingError, web.RequestPayloadError)


class Hook:
    """Answers the POST requests of one webhook."""

    def __init__(
        self,
        source: Source,
        handover: Handover,
        *,
        trusted_proxies: Sequence[IPNetwork],
        bodies: BodyReader,
        doubted: DoubtedClients,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._handover = handover
        self._trusted_proxies = trusted_proxies
        self._bodies = bodies
        self._doubted = doubted
        self._limits = limits
        self._clock = clock
        self._authentication = Authentication(source)
        self._bucket = TokenBucket(source.webhook.rate, clock())
        self._log_pace = LogPace()
        self.tally = Tally(source.name)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Check, take in, answer. A request's own failure never raises."""
        try:
            client = self._client(request)
            self._check_client(client)
            incoming = await self._read(request, client)
            await self._hand_over(incoming)
        except RefusedError as why:
            return self._refuse(why)
        except _BROKEN_TRANSFER:
            return self._refuse(RefusedError(400, "broken-transfer"))
        return accepted()

    def _client(self, request: web.BaseRequest) -> IPAddress | None:
        forwarded = request.headers.getall("X-Forwarded-For", ())
        return client_address(request.remote, forwarded, self._trusted_proxies)

    def _check_client(self, client: IPAddress | None) -> None:
        allowed = self._source.webhook.allow
        if allowed and (client is None or not is_in(client, allowed)):
            raise RefusedError(403, "client-not-allowed")

    def _check_rate(self) -> None:
        wait = self._bucket.take(self._clock())
        if wait:
            raise busy("rate", math.ceil(wait))

    async def _read(self, request: web.BaseRequest, client: IPAddress | None) -> Incoming:
        async with self._bodies.body(request, self._bound(request, client)) as raw:
            self._authenticate(request, raw, client)
            self._check_rate()
            return self._incoming(request, raw)

    def _bound(self, request: web.BaseRequest, client: IPAddress | None) -> Bound:
        """413 tells a helpdesk to give up; a doubted client may come again with the same body."""
        largest, small = self._source.webhook.max_bytes, self._limits.doubted_bytes
        fits = (request.content_length or 0) <= largest
        if fits and small < largest and self._doubted.doubts(client, self._clock()):
            return Bound(small, busy("client-doubted"))
        return Bound(largest, RefusedError(413, "too-large"))

    def _incoming(self, request: web.BaseRequest, raw: bytes) -> Incoming:
        now = self._clock()
        received_at = datetime.fromtimestamp(now, UTC)
        try:
            body = decoded(raw, request.headers.get("Content-Encoding", ""), self._source.webhook.max_bytes)
        except BrokenEncodingError as error:
            return unreadable(self._source, raw, received_at, error.message)
        return map_body(
            self._source, body=body, headers=request.headers, query=request.query, received_at=received_at
        )

    def _authenticate(self, request: web.BaseRequest, raw: bytes, client: IPAddress | None) -> None:
        now = self._clock()
        signed = SignedRequest(
            body=raw, headers=_all_values(request), method=request.method, uri=_address_of(request)
        )
        try:
            reason = self._authentication.refusal(signed, now)
        except SecretsMissingError as error:
            raise busy("secret-unusable") from error
        if reason is not None:
            self._doubted.charge(client, now)
            raise RefusedError(401, reason)

    async def _hand_over(self, incoming: Incoming) -> None:
        try:
            passing(Point.HOOK_BELIEVED)
            [receipt] = await self._handover.accept([incoming], noticed=Noticed.WEBHOOK)
            passing(Point.HOOK_STORED)
        except Exception as error:
            self._tell_failure(error)
            raise busy("not-stored") from error
        readable = not isinstance(incoming, Unreadable)
        self.tally.took_in(self._clock(), new=receipt.new, readable=readable)
        if isinstance(incoming, Unreadable):
            log.warning(
                "webhook-unreadable", webhook=self._source.name, key=receipt.key, detail=incoming.detail
            )

    def _tell_failure(self, error: Exception) -> None:
        """Words are logged only of our own errors: another exception's may quote the message."""
        unlogged = self._log_pace.unlogged(f"not-stored {type(error).__name__}", self._clock())
        if unlogged is None:
            return
        frame = traceback.extract_tb(sys.exc_info()[2])[-1]
        log.error(
            "webhook-not-stored",
            webhook=self._source.name,
            error=str(error) if isinstance(error, BridgeError) else type(error).__name__,
            where=f"{frame.filename}:{frame.lineno}",
            unlogged=unlogged,
        )

    def _refuse(self, why: RefusedError) -> web.Response:
        now = self._clock()
        self.tally.refused(now, why.status, why.reason)
        unlogged = self._log_pace.unlogged(why.reason, now)
        if unlogged is not None:
            log.warning(
                "webhook-refused",
                webhook=self._source.name,
                status=why.status,
                reason=why.reason,
                unlogged=unlogged,
            )
        return refused(why)


def _all_values(request: web.BaseRequest) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        values.setdefault(name.lower(), []).append(value)
    return values


def _address_of(request: web.BaseRequest) -> str:
    """The address as the sender wrote it. Host and scheme may be forged, but the signature covers them."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{scheme}://{request.host}{request.raw_path}"
