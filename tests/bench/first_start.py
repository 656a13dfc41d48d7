"""Peak memory of a first start with `start = "all"`, at two sizes of the folder, from a real Dovecot.

    python -m tests.bench.first_start [SMALL] [LARGE]

The bridge is a process of its own in each round and delivers to the simulated ACD. Memory is flat where the ratio
of the two peaks is near 1.
"""

import sys
import tempfile
import time
from pathlib import Path

from bridge.ledger import queries
from bridge.ledger.visit import look
from tests.bench import stand
from tests.dovecot import Dovecot

DEADLINE_SECONDS = 3600
YEAR_SECONDS = 365 * 86_400


def fill(server: Dovecot, user: str, mails: int) -> None:
    first = time.time() - YEAR_SECONDS
    for number in range(mails):
        head = f"From: c{number}@example.org\nTo: support@example.net\nSubject: Mail {number}\n"
        raw = f"{head}Message-ID: <{number}@example.org>\n\nHello\n".encode()
        server.drop(user, raw, received_at=first + number * YEAR_SECONDS / mails)
    with server.client(user) as client:
        client.select("INBOX")


def created(path: Path) -> int:
    try:
        return look(path, queries.totals)["created"] if path.exists() else 0
    except Exception:  # noqa: BLE001 - the service is just making the file
        return 0


def peak_of(server: Dovecot, acd_url: str, user: str, mails: int) -> tuple[float, float]:
    """The peak in MiB, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = stand.write_config(folder, imap_port=server.port, acd_url=acd_url, user=user)
        began = time.time()
        process = stand.start("-m", "bridge", "run", "--config", str(config), log=folder / "log")
        try:
            while created(folder / "state.db") < mails:
                assert time.time() < began + DEADLINE_SECONDS
                assert process.poll() is None
                time.sleep(1)
            return stand.peak_mib(process), time.time() - began
        finally:
            stand.end(process)


def main(small: int = 10_000, large: int = 100_000) -> None:
    peaks = []
    with stand.dovecot() as server, stand.simulated_acd() as acd_url:
        for mails in (small, large):
            user = f"box{mails}"
            fill(server, user, mails)
            peak, seconds = peak_of(server, acd_url, user, mails)
            stand.ask(f"{acd_url}/_sim/reset", "POST")
            peaks.append(peak)
            sys.stdout.write(
                f"{mails} mails: peak memory {peak:.1f} MiB, {mails / seconds:.0f} mails a second\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"ratio {peaks[1] / peaks[0]:.2f}\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
