"""Whether a request was meant for this server. A foreign name in Host may be a page that rebinds its DNS."""

from ipaddress import ip_address

LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


def is_own_host(header: str | None, own_names: frozenset[str]) -> bool:
    """Whether the Host header (RFC 9110 section 7.2) is an address, a local name or one of our own names.

    An attacker's page cannot make a browser send an address or such a name while it reads the answer. Without
    the header (HTTP/1.0) it is no browser.
    """
    if header is None:
        return True
    name = _name(header).removesuffix(".").lower()
    return name in LOCAL_NAMES or name in own_names or _is_address(name)


def _name(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
