"""Headers a second from a real Dovecot: through the bridge's own client, beside a raw socket in the same run.

    python tests/bench/imap_headers.py [MESSAGES]

Also measured: aioimaplib by itself, as its own documentation uses it, and the whole way from the folder to messages
handed over, with each header read into a Message.
"""

import asyncio
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aioimaplib
import structlog

sys.path.insert(0, str(Path(__file__).parents[2]))

from bridge.config.mailbox import Mailbox
from bridge.config.secret import Secret
from bridge.cursor import FolderCursor
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.fetch_window import ITEMS, fetch_headers
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import MAX_WINDOW, Window
from bridge.testing.handover import FakeHandover
from tests.dovecot import MAIL_ID, PASSWORD, PROGRAM, Dovecot

USER = "anna"
ROUNDS = 5


def fill(server: Dovecot, count: int) -> None:
    """Messages with twelve header fields of about 1.1 KB; every third has 20 KB of text."""
    maildir = server.folder / "mail" / USER / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    for number in range(count):
        path = maildir / "cur" / f"{1_700_000_000 + number}.M{number}P1.bench:2,"
        path.write_bytes(_mail(number))
    for folder, folders, files in os.walk(server.folder / "mail"):
        for one in (".", *folders, *files):
            os.chown(Path(folder) / one, MAIL_ID, MAIL_ID)


def _mail(number: int) -> bytes:
    header = [
        *(f"Received: from host{hop}.example.org by mx{hop}.example.org with ESMTPS id {number:x}{hop};\n"
          f"\tMon, 23 Nov 2026 07:00:0{hop} +0100" for hop in range(4)),
        "From: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen.mueller@example.org>",
        "To: Support <support@example.org>",
        f"Subject: =?utf-8?q?Frage_zur_Rechnung_?= {number}",
        f"Message-ID: <{number}.abcdef0123456789@mail.example.org>",
        f"References: <{number - 1}.abcdef0123456789@mail.example.org>",
        "Date: Mon, 23 Nov 2026 07:00:00 +0100",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "X-Filler: " + "x" * 300,
    ]  # fmt: skip
    text = "line of text\n" * (1600 if number % 3 == 0 else 5)
    return ("\n".join(header) + "\n\n" + text).encode()


def raw_read(server: Dovecot, count: int) -> float:
    """Seconds that a plain socket takes to read the same answers to the end, without looking at them."""
    with socket.create_connection((server.host, server.port)) as connection:
        _answer(connection, f"a LOGIN {USER} {PASSWORD}", b"a ")
        _answer(connection, "b EXAMINE INBOX", b"b ")
        began = time.perf_counter()
        for first in range(1, count + 1, MAX_WINDOW):
            _answer(connection, f"c UID FETCH {first}:{first + MAX_WINDOW - 1} ({ITEMS})", b"c ")
        return time.perf_counter() - began


def _answer(connection: socket.socket, command: str, tag: bytes) -> None:
    connection.sendall(command.encode() + b"\r\n")
    tail = b""
    ended = re.compile(rb"(?:^|\r\n)" + tag + rb"OK[^\r\n]*\r\n\Z")
    while not ended.search(tail):
        data = connection.recv(262_144)
        if not data:
            raise RuntimeError("Dovecot closed the connection")
        tail = (tail + data)[-512:]


async def client_read(connection: Connection, count: int) -> None:
    """The bridge's own client: split, parse, merge."""
    for first in range(1, count + 1, MAX_WINDOW):
        await fetch_headers(connection, Window(range(first, first + MAX_WINDOW), first + MAX_WINDOW - 1))


async def plain_library_read(server: Dovecot, count: int) -> float:
    """Seconds that aioimaplib takes by itself."""
    client = aioimaplib.IMAP4(server.host, server.port, timeout=60)
    await client.wait_hello_from_server()
    await client.login(USER, PASSWORD)
    await client.select("INBOX")
    began = time.perf_counter()
    for first in range(1, count + 1, MAX_WINDOW):
        result, _ = await client.uid("fetch", f"{first}:{first + MAX_WINDOW - 1}", f"({ITEMS})")
        assert result == "OK"
    seconds = time.perf_counter() - began
    await client.logout()
    return seconds


async def whole_way(connection: Connection, mailbox: Mailbox, count: int, uidvalidity: int) -> None:
    """One look at a folder that was watched when it was empty, from opening it to the last message handed over."""
    handover = FakeHandover()
    handover.cursors[mailbox.name, "INBOX"] = FolderCursor(
        source=mailbox.name, folder="INBOX", uidvalidity=uidvalidity, baseline=1, last_uid=0
    )
    await FolderWatch(mailbox, "INBOX", handover).look(connection)
    if len(handover.messages) != count:
        raise RuntimeError(f"{len(handover.messages)} messages instead of {count}")


async def timed(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def measure(server: Dovecot, count: int) -> None:
    mailbox = Mailbox(
        name="bench",
        host=server.host,
        port=server.port,
        security="none",
        username=USER,
        password=Secret.model_validate(PASSWORD),
    )
    async with await open_connection(mailbox) as connection:
        selected: Selected = await connection.examine("INBOX")
        if selected.exists != count:
            raise RuntimeError(f"{selected.exists} messages instead of {count}")
        await client_read(connection, count)
        raw = min([await asyncio.to_thread(raw_read, server, count) for _ in range(ROUNDS)])
        library = min([await plain_library_read(server, count) for _ in range(ROUNDS)])
        client = min([await timed(lambda: client_read(connection, count)) for _ in range(ROUNDS)])
        look = partial(whole_way, connection, mailbox, count, selected.uidvalidity)
        whole = min([await timed(look) for _ in range(ROUNDS)])
    for name, seconds in (
        ("raw socket", raw),
        ("aioimaplib", library),
        ("client", client),
        ("to messages", whole),
    ):
        sys.stdout.write(
            f"{name:12} {count / seconds:9,.0f} messages/s   {raw / seconds:5.2f} of the raw socket\n"
        )


def main() -> None:
    if not PROGRAM or os.getuid() != 0:
        sys.exit("this needs Dovecot (Debian: dovecot-imapd) and root")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as folder:
        server = Dovecot(Path(folder))
        fill(server, count)
        try:
            server.start()
            asyncio.run(measure(server, count))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
