"""Clients of whose requests too many were not believed lately.

A signature covers the whole body, so a stranger's garbage costs as much as a genuine request until it is
proved wrong. A genuine sender may share its address with the stranger, behind a proxy or a NAT; so nobody
is locked out: of a doubted client only large bodies are put off.
"""

from collections import OrderedDict
from ipaddress import IPv6Address

from bridge.intake.webhook.client import IPAddress
from bridge.intake.webhook.rate import TokenBucket

_INTERFACE_BITS = 64
"""The lower half of an IPv6 address is the client's own choice (RFC 4291 section 2.5.1)."""

_Key = tuple[int, int] | None


class DoubtedClients:
    """A bucket of refusals for each client address: `rate` a second, twice as many at once.

    Of more than `most` addresses the one whose last refusal is oldest is forgotten. An address of IPv6 counts
    as its /64. Clients whose address cannot be told share one bucket.
    """

    def __init__(self, *, rate: float, most: int) -> None:
        self._rate = rate
        self._most = most
        self._buckets: OrderedDict[_Key, TokenBucket] = OrderedDict()

    def charge(self, client: IPAddress | None, now: float) -> None:
        """A request of this client was not believed."""
        key = _key(client)
        bucket = self._buckets.setdefault(key, TokenBucket(self._rate, now))
        bucket.take(now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)

    def doubts(self, client: IPAddress | None, now: float) -> bool:
        """Whether the client's bucket is empty."""
        bucket = self._buckets.get(_key(client))
        return bucket is not None and bucket.wait(now) > 0


def _key(client: IPAddress | None) -> _Key:
    if client is None:
        return None
    number = int(client)
    return client.version, number >> _INTERFACE_BITS if isinstance(client, IPv6Address) else number
