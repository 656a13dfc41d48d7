"""From delivering one mail to its event in the simulated ACD: Dovecot's push, IDLE, routing, disk and post.

Dovecot holds a push back for half a second. A second client that idles beside the bridge tells when it comes, so that
the bridge's own part is seen.

python -m tests.bench.latency [SAMPLES]
"""

import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from bridge.ledger import queries
from bridge.ledger.visit import look
from tests.bench import stand
from tests.bench.end_to_end import mail, settled
from tests.dovecot import Dovecot


def main(samples: int = 50) -> None:
    with stand.dovecot() as server, stand.simulated_acd() as acd_url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = stand.write_config(folder, imap_port=server.port, acd_url=acd_url, start="now")
        process = stand.start("-m", "bridge", "run", "--config", str(config), log=folder / "log")
        try:
            while not watching(folder / "state.db"):
                time.sleep(0.05)
            time.sleep(0.5)  # the folder's first IDLE begins after its baseline is on disk
            pushes = Pushes(server)
            delivered = [deliver(server, number, folder / "state.db") for number in range(samples)]
        finally:
            stand.end(process)
        came = {event["event"]["Subject"]: stand.received(event) for event in stand.events(acd_url)}
    pushed = pushes.times()
    report("from delivery to event", [came[subject] - began for subject, began in delivered])
    report(
        "from Dovecot's push to event",
        [came[subject] - push_of(pushed, began, came[subject]) for subject, began in delivered],
    )


def push_of(pushed: list[float], began: float, came: float) -> float:
    """When the mail that was delivered at `began` was pushed. The bridge may hear of it first, and be done first."""
    return min([came, *(one for one in pushed if one >= began)])


def report(name: str, seconds: list[float]) -> None:
    waits = sorted(one * 1000 for one in seconds)
    p99 = waits[min(len(waits) - 1, round(len(waits) * 0.99))]
    sys.stdout.write(
        f"{name}: p50 {statistics.median(waits):.1f} ms, p99 {p99:.1f} ms, {len(waits)} samples\n"
    )


class Pushes:
    """A client that idles in the same folder and notes when it is told of a mail."""

    def __init__(self, server: Dovecot) -> None:
        self._times: list[float] = []
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._file = self._socket.makefile("rb")
        for number, command in enumerate(("LOGIN bridge secret", "EXAMINE INBOX")):
            self._socket.sendall(f"a{number} {command}\r\n".encode())
            while not self._file.readline().startswith(f"a{number} ".encode()):
                pass
        self._socket.sendall(b"a9 IDLE\r\n")
        while not self._file.readline().startswith(b"+"):
            pass
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while line := self._file.readline():
            if line.rstrip().endswith(b"EXISTS"):
                self._times.append(time.time())

    def times(self) -> list[float]:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        return self._times


def deliver(server: Dovecot, number: int, path: Path) -> tuple[str, float]:
    began = time.time()
    server.append("bridge", mail(3 + 10 * number))
    deadline = began + 30
    while time.time() < deadline and not settled(path, number + 1):
        time.sleep(0.02)
    return f"Rückfrage zur Bestellung {3 + 10 * number}", began


def watching(path: Path) -> bool:
    try:
        return path.exists() and bool(look(path, queries.cursors))
    except Exception:  # noqa: BLE001 - the service is just making the file
        return False


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
