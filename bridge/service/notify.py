"""Telling systemd how the service does (sd_notify(3)): one datagram a message."""

import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger("bridge.service")

STATUS_CHARACTERS = 240
"""`systemctl status` shows one line."""
SEND_SECONDS = 1.0
"""systemd reads at once; a full socket must not hold the loop for longer."""


class Notifier:
    """Sends the service's state to the service manager. Without one (no $NOTIFY_SOCKET) it does nothing.

    Nothing is raised: a bridge that cannot report still works, and the log says so.
    """

    def __init__(self, address: str | None) -> None:
        self._address = _socket_address(address) if address else None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Notifier":
        """The notifier that $NOTIFY_SOCKET names."""
        return cls((os.environ if environ is None else environ).get("NOTIFY_SOCKET"))

    @property
    def listening(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """Start-up is complete: units that wait for this one may go on."""
        self._send("READY=1", *_status_line(status))

    def stopping(self, status: str = "") -> None:
        """The service has begun to stop."""
        self._send("STOPPING=1", *_status_line(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(*_status_line(text))

    def watchdog(self) -> None:
        """The service is alive; see `bridge.service.watchdog`."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(SEND_SECONDS)
                channel.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("notify-failed", field=lines[0].partition("=")[0], error=str(error))


def _socket_address(address: str) -> str | None:
    """The address as the socket module wants it: a leading `@` is the abstract namespace (unix(7))."""
    if address.startswith("@"):
        return "\0" + address[1:]
    if address.startswith("/"):
        return address
    log.warning(
        "notify-address-unknown", hint="only paths and abstract sockets are known; nothing is reported"
    )
    return None


def _status_line(text: str) -> tuple[str, ...]:
    """A line end would begin another field of the protocol."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return (f"STATUS={line[:STATUS_CHARACTERS]}",) if line else ()
