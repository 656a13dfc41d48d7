"""From delivering one mail to its event in the simulated ACD: Dovecot's push, IDLE, routing, disk and post.

python -m tests.bench.latency [SAMPLES]
"""

import statistics
import sys
import tempfile
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
            delivered = [deliver(server, number, folder / "state.db") for number in range(samples)]
        finally:
            stand.end(process)
        came = {event["event"]["Subject"]: stand.received(event) for event in stand.events(acd_url)}
    waits = sorted((came[subject] - began) * 1000 for subject, began in delivered)
    assert len(waits) == samples
    p99 = waits[min(samples - 1, round(samples * 0.99))]
    sys.stdout.write(f"p50 {statistics.median(waits):.1f} ms, p99 {p99:.1f} ms, {samples} samples\n")


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
