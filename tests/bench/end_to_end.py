"""2,000 mails from a real Dovecot to the simulated ACD: the bridge beside a plain script, in turns.

    python -m tests.bench.end_to_end [MAILS] [ROUNDS] [MILLISECONDS]

30 % of the mails carry 200 KB. The simulated ACD takes no time of its own, or so many milliseconds for each event.
Every process is started anew in each round; the time runs to the ACD's last event,
from the process's start and from its first event. Dovecot, the ACD and what is measured share the machine.
"""

import base64
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bridge.ledger import queries
from bridge.ledger.visit import look
from tests.bench import stand
from tests.dovecot import Dovecot

ATTACHMENT = base64.encodebytes(os.urandom(150_000)).decode()
DEADLINE_SECONDS = 300


def mail(number: int) -> bytes:
    head = (
        f"Return-Path: <customer{number}@example.org>\nDelivered-To: support@example.net\n"
        "Received: from mx.example.org (mx.example.org [192.0.2.7])\n\tby mail.example.net with ESMTPS id 4XyZ\n"
        "\tfor <support@example.net>; Mon, 23 Nov 2026 08:00:00 +0000 (UTC)\n"
        f"From: =?utf-8?q?J=C3=BCrgen?= Customer <customer{number}@example.org>\nTo: support@example.net\n"
        f"Subject: =?utf-8?q?R=C3=BCckfrage_zur_Bestellung?= {number}\nDate: Mon, 23 Nov 2026 08:00:00 +0000\n"
        f"Message-ID: <{number}@example.org>\nMIME-Version: 1.0\n"
    )
    text = "Hello,\n\nwhere is my parcel?\n" + "x" * 70 + "\n" + ("y" * 70 + "\n") * 15
    if number % 10 >= 3:
        return f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}".encode()
    return (
        f'{head}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{text}\n--b\n'
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=scan.pdf\n\n{ATTACHMENT}\n--b--\n"
    ).encode()


def fill(server: Dovecot, user: str, mails: int) -> None:
    for number in range(mails):
        server.drop(user, mail(number))
    with server.client(user) as client:  # so that neither of the two pays for Dovecot's index
        client.select("INBOX")


def bridge_round(server: Dovecot, acd_url: str, mails: int) -> stand.Finished:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = stand.write_config(folder, imap_port=server.port, acd_url=acd_url)
        began = time.time()
        process = stand.start("-m", "bridge", "run", "--config", str(config), log=folder / "log")
        try:
            deadline = began + DEADLINE_SECONDS
            while time.time() < deadline and not settled(folder / "state.db", mails):
                time.sleep(0.2)  # looking costs time that the two share
            peak = stand.peak_mib(process)
        finally:
            stand.end(process)
    return finished(began, acd_url, mails, peak)


def settled(path: Path, mails: int) -> bool:
    if not path.exists():
        return False
    try:
        return look(path, queries.totals)["created"] == mails
    except Exception:  # noqa: BLE001 - the service is just making the file
        return False


def script_round(server: Dovecot, acd_url: str, mails: int) -> stand.Finished:
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        command = [str(Path(__file__).with_name("plain_script.py")), str(server.port), acd_url, stand.TOKEN]
        process = stand.start(*command, log=Path(folder) / "log")
        peak = 0.0
        while process.poll() is None:
            try:
                peak = stand.peak_mib(process)
            except (AssertionError, OSError):
                break
            time.sleep(0.2)
        process.wait(DEADLINE_SECONDS)
    return finished(began, acd_url, mails, peak)


def finished(began: float, acd_url: str, mails: int, peak: float) -> stand.Finished:
    found = stand.events(acd_url)
    subjects = {event["event"]["Subject"] for event in found}
    assert len(found) == len(subjects) == mails, (len(found), len(subjects))
    moments = [stand.received(event) - began for event in found]
    return stand.Finished(min(moments), max(moments), peak)


def report(name: str, runs: list[stand.Finished], mails: int) -> tuple[float, float]:
    """Messages a second from the process's start, and from its first event on."""
    whole = mails / statistics.median(run.last for run in runs)
    going = mails / statistics.median(run.last - run.first for run in runs)
    first = statistics.median(run.first for run in runs)
    peak = statistics.median(run.peak_mib for run in runs)
    sys.stdout.write(
        f"{name}: {whole:.0f} messages a second from its start, {going:.0f} from its first event "
        f"(which came after {first:.2f} s); peak memory {peak:.0f} MiB\n"
    )
    return whole, going


def fresh_acd(acd_url: str, milliseconds: int) -> None:
    """No event is there, and each new one takes so long."""
    stand.ask(f"{acd_url}/_sim/reset", "POST")
    if milliseconds:
        path = "/acd/events/create"
        fault = {"kind": "latency", "seconds": milliseconds / 1000, "method": "POST", "path": path}
        stand.ask(f"{acd_url}/_sim/faults", "POST", {"faults": [fault]})


def main(mails: int = 2000, rounds: int = 3, milliseconds: int = 0) -> None:
    with stand.dovecot() as server, stand.simulated_acd() as acd_url:
        for user in ("bridge", "script"):
            fill(server, user, mails)
        ours, theirs = [], []
        for _ in range(rounds):
            fresh_acd(acd_url, milliseconds)
            ours.append(bridge_round(server, acd_url, mails))
            fresh_acd(acd_url, milliseconds)
            theirs.append(script_round(server, acd_url, mails))
        ours_whole, ours_going = report("bridge", ours, mails)
        script_whole, script_going = report("script", theirs, mails)
        sys.stdout.write(
            f"ratio: {ours_whole / script_whole:.1f} from the start, {ours_going / script_going:.1f} when going\n"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
