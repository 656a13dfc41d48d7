"""Bounds of the listener that no configuration needs to change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds."""

    header_seconds: float = 10.0
    """From connecting until the first request's headers are complete."""
    body_seconds: float = 10.0
    """From the headers until the body is complete."""
    keepalive_seconds: float = 30.0
    """A connection without a request is kept this long."""
    close_seconds: float = 10.0
    """When closing, a request that has begun may take this long."""
    linger_seconds: float = 2.0
    """A sender refused in the midst of its body is listened to this long, so that it sees the answer."""
    connections: int = 512
    """Open connections; one more gets a 503 at once."""
    body_bytes: int = 64 * 1024 * 1024
    """Bodies in memory over all connections."""
    refused_rate: float = 20.0
    """Requests a second of one client that are not believed, before it is doubted; twice as many at once."""
    doubted_bytes: int = 64 * 1024
    """The largest body of a doubted client. To prove so little costs no more than to refuse it."""
    doubted_clients: int = 4096
    """Client addresses whose refusals are remembered."""
    backlog: int = 1024
    """Connections that the system keeps waiting while the bridge is busy or restarting."""
