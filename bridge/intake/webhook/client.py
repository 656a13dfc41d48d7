"""Who is calling, when proxies stand in between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MAX_HOPS = 20


def client_address(
    peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[IPNetwork]
) -> IPAddress | None:
    """The client's address: the peer's own, or the right-most of X-Forwarded-For that is no trusted proxy.

    Everything further to the left was written by the client and proves nothing. None where the address cannot
    be told: a trusted proxy wrote something else than an address, or the peer has none.
    """
    address = _address(peer or "")
    if address is None or not is_in(address, trusted):
        return address
    hops = ",".join(forwarded_for).split(",") if forwarded_for else []
    for hop in reversed(hops[-MAX_HOPS:]):
        address = _address(hop)
        if address is None or not is_in(address, trusted):
            return address
    return address


def is_in(address: IPAddress, networks: Sequence[IPNetwork]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> IPAddress | None:
    """An address as peers and proxies write it: maybe with a port, in brackets, or IPv4 inside of IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
