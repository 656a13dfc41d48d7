"""How long it takes to read a mail's header: `python tests/bench/mail_reading.py`.

Prints CPU microseconds for one mail, the best of several rounds. The standard library's parser is measured beside it,
without the work that comes after parsing.
"""

import email
import email.policy
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bridge.intake.mail.read import read_mail

ROUNDS, CALLS = 7, 2000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ASKED_FOR = ("from", "to", "cc", "subject", "date", "message-id")
TYPICAL = (
    b"Return-Path: <anna@example.org>\r\n"
    b"Received: from mx1.example.org (mx1.example.org [192.0.2.10])\r\n\tby mail.example.net (Postfix) with ESMTPS\r\n"
    b"\tid 4F2A81C00A1 for <support@example.net>; Mon, 23 Nov 2026 08:15:02 +0100 (CET)\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;\r\n"
    b"\tt=1795418102; h=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
    b"\tb=" + b"Ab3/" * 43 + b"\r\n"
    b"Delivered-To: support@example.net\r\n"
    b"From: =?UTF-8?Q?Anna_M=C3=BCller?= <anna.mueller@example.org>\r\n"
    b"To: Support <support@example.net>\r\n"
    b"Cc: Bernd Beispiel <bernd@example.org>\r\n"
    b"Subject: =?UTF-8?Q?Re:_Rechnung_f=C3=BCr_November_=5BTicket#2026112310000042=5D?=\r\n"
    b"Date: Mon, 23 Nov 2026 08:15:00 +0100\r\n"
    b"Message-ID: <0f3c7e5a-1b2d-4c3e-9f8a-7b6c5d4e3f2a@example.org>\r\n"
    b"In-Reply-To: <20261122.081500.12345@example.net>\r\n"
    b'Content-Type: multipart/alternative; boundary="=_b1f2c3d4e5f6"\r\n\r\n'
)
CROWDED = b"From: a@example.org\r\nTo: " + b",\r\n ".join(
    b'"User, %d" <user%d@example.org>' % (n, n) for n in range(20_000)
)


def ours(header: bytes) -> None:
    read_mail(header, source="s", folder="INBOX", uidvalidity=1, uid=1, size=5000, internaldate=NOON)


def of_policy(policy: email.policy.Policy) -> Callable[[bytes], None]:
    def read(header: bytes) -> None:
        message = email.message_from_bytes(header, policy=policy)
        for name in ASKED_FOR:
            str(message[name])

    return read


def microseconds(read: Callable[[bytes], None], header: bytes, calls: int = CALLS) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(calls):
            read(header)
        best = min(best, time.process_time() - begin)
    return best / calls * 1e6


def report(what: str, time_of_one: float, remark: str = "") -> None:
    sys.stdout.write(f"  {what:<24}{time_of_one:>9.1f} us  {remark}\n")


def main() -> None:
    sys.stdout.write(f"typical header: {len(TYPICAL)} bytes, 12 fields\n")
    report("read_mail", microseconds(ours, TYPICAL))
    report("email, policy.compat32", microseconds(of_policy(email.policy.compat32), TYPICAL), "parsed only")
    report(
        "email, policy.default", microseconds(of_policy(email.policy.default), TYPICAL, 200), "parsed only"
    )
    sys.stdout.write(f"20,000 recipients: {len(CROWDED)} bytes\n")
    report("read_mail", microseconds(ours, CROWDED, 3))


if __name__ == "__main__":
    main()
