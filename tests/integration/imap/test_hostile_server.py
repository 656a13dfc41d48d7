"""Servers that do it wrong, over real sockets: no mail may be lost, nothing may hang, nothing may flood."""

import asyncio
import re
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.intake.imap.connection import MAX_CAPABILITIES, MAX_TOLD_LINE
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_window import fetch_headers
from bridge.intake.imap.folder_watch import MAX_OPENED
from bridge.intake.imap.keeper import ConnectionKeeper
from bridge.intake.imap.liveness import FIRST_PAUSE
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.probe import probe
from bridge.intake.imap.retry import RetryTimes
from bridge.intake.imap.sync import Window
from bridge.intake.imap.uid_set import MAX_UID
from bridge.intake.imap.window_reader import MAX_STRIKES
from bridge.metrics import REGISTRY
from bridge.testing.handover import FakeHandover
from tests.integration.imap.conftest import watching
from tests.integration.imap.hostile import HostileServer, fetch_line, hostile
from tests.wait import until


def mailbox(server: HostileServer, **settings: Any) -> Mailbox:
    given = {"security": "none", "poll": 60, "timeout": 2, "start": "all", **settings}
    return Mailbox(
        name="m", host="127.0.0.1", port=server.port, **{"username": "anna", "password": "secret", **given}
    )


def uids(handover: FakeHandover) -> list[int]:
    return [int(one.place.rsplit("/", 1)[1]) for one in handover.accepted]


def with_an_older_numbering() -> FakeHandover:
    """What has read the folder under another UIDVALIDITY than the server's."""
    old = FolderCursor(source="m", folder="INBOX", uidvalidity=6, baseline=1, last_uid=9)
    return FakeHandover(cursors={("m", "INBOX"): old})


async def failure_of(box: Mailbox) -> MailServerError:
    with pytest.raises(MailServerError) as caught:
        await open_connection(box)
    return caught.value


async def test_broken_answer_with_a_uid() -> None:
    """A FETCH response that breaks the grammar but tells its UID costs that one mail: unreadable, by its
    place.
    """

    def fetched(uid: int) -> bytes:
        return b"* 1 FETCH (UID 2 BODY[HEADER]<0> \x01\x02((\r\n" if uid == 2 else fetch_line(uid)

    async with hostile(uids=[1, 2, 3], uidnext=4, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 3)
        assert uids(watched.handover) == [1, 2, 3]
        assert [one.place for one in watched.handover.unreadable] == ["INBOX/7/2"]


@pytest.mark.parametrize("answer", [b"* 1 FETCH (((\r\n", None], ids=["garbage", "dies"])
async def test_poison_that_hides(answer: bytes | None) -> None:
    """One mail that makes the server talk garbage or die is found, given up after a few tries, and the rest
    is taken.
    """

    def fetched(uid: int) -> bytes | None:
        return answer if uid == 40 else fetch_line(uid)

    async with hostile(uids=list(range(1, 61)), uidnext=61, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 60, within=15)
        assert uids(watched.handover) == list(range(1, 61))
        assert [one.place for one in watched.handover.unreadable] == ["INBOX/7/40"]
        assert server.commands.count("UID FETCH 40 " + _items(server)) == MAX_STRIKES


@pytest.mark.parametrize("broken", ["BODYSTRUCTURE", "BODY.PEEK[1]"])
async def test_a_text_that_breaks_the_connection(broken: str) -> None:
    """A mail whose text cannot be asked for without losing the connection is taken without it, and so is the rest."""
    structure = b'* 1 FETCH (UID %d BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 4 1))\r\n'
    async with hostile(uids=list(range(1, 31)), uidnext=31) as server:

        def fetch(rest: bytes) -> bytes | None:
            words = rest.decode()
            asked = server._in(words.split(" ")[2])
            if broken in words and 12 in asked:
                return None
            if "BODYSTRUCTURE" in words:
                return b"".join(structure % uid for uid in asked) + b"TAG OK done\r\n"
            return server._fetch(words.split(" ")[2])

        server.override["UID FETCH"] = fetch
        handover = FakeHandover(wants_text_of=lambda _: True)
        async with watching(mailbox(server), handover):
            await until(lambda: len(handover.accepted) == 30, within=15)
        assert uids(handover) == list(range(1, 31))
        assert handover.unreadable == []
        assert handover.messages[11].degraded
        alone = [one for one in server.commands if one.startswith("UID FETCH 12 ") and broken in one]
        assert len(alone) == MAX_STRIKES


async def test_poison_in_a_folder_that_was_numbered_anew() -> None:
    """Mails that kill the connection are found although nothing is stored before all of the folder was read."""
    async with hostile(uids=list(range(1, 61)), uidnext=61) as server:

        def fetch(rest: bytes) -> bytes | None:
            asked = server._in(rest.decode().split(" ")[2])
            if b"HEADER" in rest and {20, 40}.intersection(asked):
                return None
            return b"".join(fetch_line(uid) for uid in asked) + b"TAG OK done\r\n"

        server.override["UID FETCH"] = fetch
        handover = with_an_older_numbering()
        async with watching(mailbox(server), handover):
            await until(lambda: len(handover.accepted) == 60, within=15)
        assert uids(handover) == list(range(1, 61))
        assert [one.place for one in handover.unreadable] == ["INBOX/7/20", "INBOX/7/40"]


async def test_poison_among_missed_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails that the audit found are taken in although fetching one of them kills the connection each time."""
    monkeypatch.setattr("bridge.intake.imap.folder_watch.FIRST_AUDIT", 0.0)

    def fetched(uid: int) -> bytes | None:
        return None if uid == 4 else fetch_line(uid)

    async with hostile(uids=list(range(1, 11)), uidnext=11, fetched=fetched) as server:
        read = FolderCursor(source="m", folder="INBOX", uidvalidity=7, baseline=1, last_uid=10)
        handover = FakeHandover(cursors={("m", "INBOX"): read})
        async with watching(mailbox(server), handover):
            await until(lambda: len(handover.accepted) == 10)
        assert uids(handover) == list(range(1, 11))
        assert [one.place for one in handover.unreadable] == ["INBOX/7/4"]


async def test_literals_that_are_told_too_short() -> None:
    """What is left of a header that is longer than the server told costs that mail, and none of those behind it."""

    def fetched(uid: int) -> bytes:
        told = fetch_line(uid)
        return told.replace(b")\r\n", b"X-More: than was told\r\n\r\n)\r\n") if uid in {3, 6} else told

    async with hostile(uids=list(range(1, 11)), uidnext=11, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 10)
        assert uids(watched.handover) == list(range(1, 11))
        assert [one.place for one in watched.handover.unreadable] == ["INBOX/7/3", "INBOX/7/6"]


NO_HEADER = (
    b'* 1 FETCH (UID 2 RFC822.SIZE 500 INTERNALDATE "17-Jul-2026 02:44:25 +0000" BODY[HEADER]<0> NIL)\r\n'
)
"""What Dovecot says of a mail whose file is being moved at this moment."""


async def test_a_header_that_is_missing_for_a_moment() -> None:
    """A mail whose header cannot be had right now is asked for again, and is no unreadable one."""
    answers = [NO_HEADER]

    def fetched(uid: int) -> bytes:
        return answers.pop() if uid == 2 and answers else fetch_line(uid)

    async with hostile(uids=[1, 2, 3], uidnext=4, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 3)
        assert watched.handover.subjects() == ["mail-1", "mail-2", "mail-3"]
        assert server.sign_ins == 1


async def test_a_mail_that_goes_while_it_is_fetched_has_vanished() -> None:
    """A mail without a header that is gone when it is asked for again was moved away: there is nothing to mend."""
    async with hostile(uids=[1, 2, 3], uidnext=4) as server:

        def fetched(uid: int) -> bytes:
            if uid == 2:
                server.uids.remove(2)
                return NO_HEADER
            return fetch_line(uid)

        server.fetched = fetched
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 3)
        assert watched.handover.unreadable == []
        assert [receipt.state for receipt in watched.handover.receipts] == ["pending", "vanished", "pending"]
        assert server.sign_ins == 1


async def test_a_header_that_never_comes() -> None:
    """A mail that is there and has no header, however often it is asked for, is given up as unreadable."""

    def fetched(uid: int) -> bytes:
        return NO_HEADER if uid == 2 else fetch_line(uid)

    async with hostile(uids=[1, 2, 3], uidnext=4, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 3, within=15)
        assert uids(watched.handover) == [1, 2, 3]
        assert [one.place for one in watched.handover.unreadable] == ["INBOX/7/2"]


def _items(server: HostileServer) -> str:
    return next(one for one in server.commands if one.startswith("UID FETCH")).split(" ", 3)[3]


async def test_throttling_quarantines_nothing() -> None:
    """A server that puts FETCH off for long has it asked again; its NO is never taken for a mail's fault."""
    refusals = [b"TAG NO Server Unavailable. 15\r\n"] * (MAX_STRIKES + 3)

    async with hostile(uids=[1], uidnext=2) as server:
        server.override["UID FETCH"] = lambda rest: (
            refusals.pop() if refusals else server._fetch(rest.decode().split()[2])
        )
        async with watching(mailbox(server)) as watched:
            await until(lambda: bool(watched.handover.accepted), within=10)
        assert watched.handover.unreadable == []
        assert watched.handover.subjects() == ["mail-1"]


async def test_sparse_uids_take_few_steps() -> None:
    """Ten mails spread over four thousand million UIDs are read in a handful of commands."""
    spread = [
        1,
        5,
        70_000,
        1_000_000,
        1_000_001,
        90_000_000,
        2_000_000_000,
        3_999_999_999,
        4_000_000_000,
        4_294_967_290,
    ]
    async with hostile(uids=spread, uidnext=4_294_967_291) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == len(spread))
        assert uids(watched.handover) == spread
        assert sum(one.startswith("UID ") for one in server.commands) < 30


async def test_answers_that_nobody_asked_for() -> None:
    """FETCH responses of other UIDs, doubled ones and flag updates in between neither add, nor double, nor
    lose.
    """

    def fetched(uid: int) -> bytes:
        noise = b"* 9 FETCH (FLAGS (\\Seen))\r\n* 9 FETCH (UID 999 FLAGS ())\r\n* 3 EXPUNGE\r\n"
        update = b"* 1 FETCH (UID %d FLAGS (\\Seen))\r\n" % uid
        return noise + fetch_line(uid) + update + fetch_line(uid) + fetch_line(999)

    async with hostile(uids=[1, 2], uidnext=3, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 2)
        assert uids(watched.handover) == [1, 2]


@pytest.mark.parametrize("first", [b"", fetch_line(999)], ids=["left out", "under another UID"])
async def test_a_mail_that_is_not_told_at_first(first: bytes) -> None:
    """A server that is moving other mails leaves one out, or tells it under another UID: it is asked once more."""
    told = [first]

    def fetched(uid: int) -> bytes:
        return told.pop() if uid == 2 and told else fetch_line(uid)

    async with hostile(uids=[1, 2, 3], uidnext=4, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: len(watched.handover.accepted) == 3)
        assert uids(watched.handover) == [1, 2, 3]
        assert watched.handover.unreadable == []


async def test_no_uidnext_in_examine() -> None:
    """Where EXAMINE does not tell UIDNEXT, STATUS does, and the view is taken anew after it."""
    async with hostile(uids=[1], uidnext=2, examine_without_uidnext=True) as server:
        async with watching(mailbox(server)) as watched:
            await until(lambda: bool(watched.handover.accepted))
        names = [one.split()[0] for one in server.commands]
        assert names.index("STATUS") < len(names) - 1 - names[::-1].index("EXAMINE")


async def test_idle_refused_falls_back_to_the_poll() -> None:
    """A server that promises IDLE and refuses it is polled on the same connection."""
    async with hostile(uidnext=1) as server:
        server.override["IDLE"] = lambda _: b"TAG NO not today\r\n"
        async with watching(mailbox(server, poll=1)) as watched:
            await watched.looked()
            server.arrive(1)
            await until(lambda: bool(watched.handover.accepted))
        assert server.sign_ins == 1


async def test_idle_that_the_server_ends_by_itself() -> None:
    """It is no failure of the connection: the poll goes on over it, and IDLE is begun anew after it."""
    async with hostile(uidnext=1) as server, watching(mailbox(server, poll=1)) as watched:
        await until(lambda: server.commands[-1:] == ["IDLE"])
        server.push(server.tag + b" OK idled enough")
        server.arrive(1)
        await watched.has("mail-1")
        await until(lambda: server.commands[-1:] == ["IDLE"])
        assert "DONE" not in server.commands
        assert server.sign_ins == 1


@pytest.mark.parametrize("moment", ["LOGIN", "EXAMINE", "UID FETCH", "IDLE"])
async def test_silence_is_noticed(moment: str) -> None:
    """A server that never answers a command is given up after the timeout, and asked again on a new
    connection.
    """
    async with hostile(uids=[1], uidnext=2) as server:
        server.override[moment] = lambda _: b""
        async with watching(mailbox(server, timeout=1)) as watched:
            await until(lambda: "timed-out" in watched.folder()["state"])
            del server.override[moment]
            await watched.has("mail-1")
            await watched.looked()


async def test_uids_that_are_told_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on answering one SEARCH does not fill the memory: the connection is given up."""
    monkeypatch.setattr("bridge.intake.imap.connection.MAX_FOUND", 10)
    async with hostile(uids=[1], uidnext=2) as server, await open_connection(mailbox(server)) as connection:
        await connection.examine("INBOX")
        server.override["UID SEARCH"] = lambda _: b"* SEARCH 1 2 3 4 5\r\n" * 2 + b"TAG OK\r\n"
        assert len(await connection.search(1, 5)) == 10
        server.override["UID SEARCH"] = lambda _: b"* SEARCH 1 2 3 4 5\r\n" * 3 + b"TAG OK\r\n"
        assert await kind_of(connection.search(1, 5)) is Kind.PROTOCOL


async def test_a_set_of_very_many_uids() -> None:
    """More UIDs than are kept are not even written out, however long the range that was asked about."""
    esearch = b"IMAP4rev1 ESEARCH"
    async with hostile(capabilities=esearch) as server, await open_connection(mailbox(server)) as connection:
        await connection.examine("INBOX")
        server.override["UID SEARCH"] = lambda _: b"* ESEARCH UID ALL 1:%d\r\nTAG OK\r\n" % MAX_UID
        tracemalloc.start()
        try:
            assert await kind_of(connection.search(1, MAX_UID)) is Kind.PROTOCOL
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()


async def test_headers_that_are_told_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that is told many times in one answer is kept once: its mail is taken, and is in nobody's way."""
    monkeypatch.setattr("bridge.intake.imap.fetch_window.MAX_HEADERS", 1000)

    def fetched(uid: int) -> bytes:
        return fetch_line(uid) * (50 if uid == 2 else 1)

    async with hostile(uids=[1, 2, 3], uidnext=4, fetched=fetched) as server:
        async with watching(mailbox(server)) as watched:
            await watched.has("mail-1", "mail-2", "mail-3")
        assert len([one for one in server.commands if one.startswith("UID FETCH")]) == 1


@pytest.mark.parametrize("first", [b"", b"* 1 FETCH (((\r\n"], ids=["not told", "garbage"])
async def test_a_date_that_is_not_told_at_first(first: bytes) -> None:
    """A mail whose date is missing at first in a folder that was numbered anew is not taken for one from before it."""
    async with hostile(uids=[1, 2, 3], uidnext=4) as server:
        left_out = [1]

        def fetch(rest: bytes) -> bytes:
            asked = server._in(rest.decode().split(" ")[2])
            if b"(UID INTERNALDATE)" in rest and left_out:
                asked.remove(left_out.pop())
                return first + b"".join(fetch_line(uid) for uid in asked) + b"TAG OK done\r\n"
            return b"".join(fetch_line(uid) for uid in asked) + b"TAG OK done\r\n"

        server.override["UID FETCH"] = fetch
        handover = with_an_older_numbering()
        async with watching(mailbox(server), handover) as watched:
            await watched.looked()
        assert uids(handover) == [1, 2, 3]


async def test_a_date_that_can_never_be_read() -> None:
    """Where an answer tells neither date nor UID, what it may be about is read rather than lost."""
    async with hostile(uids=[1, 2, 3], uidnext=4) as server:

        def fetch(rest: bytes) -> bytes:
            asked = server._in(rest.decode().split(" ")[2])
            unreadable = b"(UID INTERNALDATE)" in rest
            lines = (b"* 1 FETCH (((\r\n" if unreadable and uid == 1 else fetch_line(uid) for uid in asked)
            return b"".join(lines) + b"TAG OK done\r\n"

        server.override["UID FETCH"] = fetch
        handover = with_an_older_numbering()
        async with watching(mailbox(server), handover) as watched:
            await watched.looked()
        assert uids(handover) == [1, 2, 3]


async def test_long_headers_told_backwards_after_a_renumbering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last mails of a window fill its memory, smaller windows are read until the first ones fit."""
    monkeypatch.setattr("bridge.intake.imap.fetch_window.MAX_HEADERS", 1000)
    monkeypatch.setattr("bridge.intake.imap.sync.WINDOW_BYTES", 250)
    async with hostile(uids=list(range(1, 41)), uidnext=41) as server:

        def backwards(rest: bytes) -> bytes:
            asked = server._in(rest.decode().split(" ")[2])
            return b"".join(fetch_line(uid) for uid in reversed(asked)) + b"TAG OK done\r\n"

        server.override["UID FETCH"] = backwards
        handover = with_an_older_numbering()
        async with watching(mailbox(server), handover):
            await until(lambda: len(handover.accepted) == 40)
        assert uids(handover) == list(range(1, 41))


async def test_capabilities_without_end() -> None:
    """Of a server that names very many capabilities some are kept."""
    many = b" ".join(b"X-%d" % number for number in range(5 * MAX_CAPABILITIES))
    async with (
        hostile(capabilities=b"IMAP4rev1 IDLE " + many) as server,
        await open_connection(mailbox(server)) as connection,
    ):
        assert len(connection.capabilities) == MAX_CAPABILITIES
        assert connection.can_idle


async def test_long_lines_when_a_folder_is_opened() -> None:
    """Of the lines to EXAMINE, of names and of capabilities as much is kept as an honest server may need."""
    long = b"x" * (2 * MAX_TOLD_LINE)
    async with hostile(uids=[1], uidnext=2) as server, await open_connection(mailbox(server)) as connection:
        told = b"* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n" + (b"* OK " + long + b"\r\n") * 3
        server.override["EXAMINE"] = lambda _: told + b"* 1 EXISTS\r\nTAG OK\r\n"
        server.override["LIST"] = lambda _: (
            b'* LIST () "/" "INBOX"\r\n* LIST () "/" "' + long + b'"\r\nTAG OK\r\n'
        )
        server.override["CAPABILITY"] = lambda _: b"* CAPABILITY IDLE " + long + b"\r\nTAG OK\r\n"
        _, lines = await connection._open("EXAMINE", "INBOX")
        assert (len(lines), max(map(len, lines))) == (6, MAX_TOLD_LINE)
        assert await connection.folders() == ["INBOX"]
        await connection.ask_capabilities()
        assert max(map(len, connection.capabilities)) < MAX_TOLD_LINE


async def test_parts_that_nobody_asked_for() -> None:
    """Whatever else of a mail a server tells, the header that was asked for is kept, and nothing beside it."""

    def fetched(uid: int) -> bytes:
        parts = (b"* 1 FETCH (UID %d BODY[%d] {4}\r\nmore)\r\n" % (uid, number) for number in range(50))
        return b"".join(parts) + b"* 1 FETCH (UID %d BODYSTRUCTURE (A))\r\n" % uid + fetch_line(uid)

    async with (
        hostile(uids=[1, 2], uidnext=3, fetched=fetched) as server,
        await open_connection(mailbox(server)) as connection,
    ):
        await connection.examine("INBOX")
        headers = await fetch_headers(connection, Window([1, 2], 2))
    assert {uid: (set(one.sections), one.structure) for uid, one in headers.fetched.items()} == {
        1: ({b"HEADER"}, None),
        2: ({b"HEADER"}, None),
    }


async def test_answer_that_never_ends() -> None:
    """A server that begins an answer and never ends it does not hold the folder for ever."""
    async with hostile(uids=[1], uidnext=2) as server:
        server.override["UID FETCH"] = lambda _: (
            b"* 1 FETCH (UID 1 BODY[HEADER]<0> {100000}\r\nSubject: x\r\n"
        )
        async with watching(mailbox(server, timeout=1)) as watched:
            await until(lambda: "timed-out" in watched.folder()["state"])
            del server.override["UID FETCH"]
            await watched.has("mail-1")


async def test_exists_that_is_told_each_time_idle_begins() -> None:
    """A server that tells again what is known whenever IDLE begins is looked at with pauses, and new mail is found."""
    async with hostile(uids=[1], uidnext=2) as server:
        server.override["IDLE"] = lambda _: b"+ idling\r\n* %d EXISTS\r\n" % len(server.uids)
        async with watching(mailbox(server)) as watched:
            await watched.has("mail-1")
            at = time.monotonic()
            before = server.commands.count("IDLE")
            await until(lambda: server.commands.count("IDLE") >= before + 5)
            pauses = FIRST_PAUSE + 2 * FIRST_PAUSE + 4 * FIRST_PAUSE
            assert time.monotonic() - at > pauses
            server.arrive(2)
            await watched.has("mail-1", "mail-2")


async def test_uidnext_that_grows_each_time_it_is_asked_for() -> None:
    """A folder that always seems to have new mail is watched, looked at with pauses, and what does come is found."""
    async with hostile(uids=[1], uidnext=2) as server:

        def grown(_: bytes) -> bytes | None:
            server.uidnext += 1
            return server._honest("EXAMINE", [])

        server.override["EXAMINE"] = grown
        async with watching(mailbox(server, start="now")) as watched:
            await watched.looked()
            at, before = time.monotonic(), server.uidnext
            await until(lambda: server.uidnext >= before + 5 * MAX_OPENED)
            assert time.monotonic() - at > FIRST_PAUSE + 2 * FIRST_PAUSE + 4 * FIRST_PAUSE
            server.arrive(server.uidnext)
            await until(watched.handover.subjects)


async def test_a_flood_in_one_folder_holds_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where mail comes faster than it is read, folders that share the connection are looked at nevertheless."""
    monkeypatch.setattr("bridge.intake.imap.mailbox.MAX_CONNECTIONS", 1)
    async with hostile(uids=[1], uidnext=2) as server:

        def flooded(rest: bytes) -> bytes | None:
            if b"flooded" in rest:
                server.arrive(server.uidnext)
            return server._honest("EXAMINE", [])

        server.override["EXAMINE"] = flooded
        async with watching(mailbox(server, start="now", folders=["flooded", "quiet"])) as watched:
            await until(lambda: len(watched.handover.subjects("quiet")) >= 20)
            assert len(watched.handover.subjects("flooded")) >= 20


async def test_bye_in_idle() -> None:
    """BYE while idling ends the connection; the next one is made and nothing is lost."""
    async with hostile(uidnext=1) as server, watching(mailbox(server)) as watched:
        await watched.looked()
        await until(lambda: server.commands[-1] == "IDLE")
        server.arrive(1)
        server.push(b"* BYE shutting down")
        await watched.has("mail-1", within=15)


async def test_bye_within_an_answer() -> None:
    """BYE may come in the middle of any answer, and is no part of it: the connection is given up all the same."""

    def examine(_: bytes) -> bytes:
        if server.sign_ins > 1:
            del server.override["EXAMINE"]
        told = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 1] next\r\n"
        return told + b"* BYE shutting down\r\nTAG OK done\r\n"

    async with (
        hostile(uidnext=1, override={"EXAMINE": examine}) as server,
        watching(mailbox(server)) as watched,
    ):
        await until(lambda: server.sign_ins > 1, within=15)
        await until(lambda: "BYE" in watched.folder()["last_error"])


async def test_uidvalidity_that_never_stays() -> None:
    """A server with another UIDVALIDITY at each look is reported, at the pace of the waits, not in a tight
    loop.
    """
    counts = iter(range(10, 100_000))
    async with hostile(uids=[1], uidnext=2) as server:
        server.override["EXAMINE"] = lambda _: (
            b"* 1 EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT 2] x\r\nTAG OK\r\n" % next(counts)
        )
        async with watching(mailbox(server)) as watched:
            await until(lambda: "UIDVALIDITY" in watched.folder()["last_error"])
            assert watched.folder()["connected"] is False


async def test_wrong_password_is_not_tried_by_every_folder() -> None:
    """With many folders, a refused password is sent once in its pause, not once for each folder."""
    async with (
        hostile(login=b"NO [AUTHENTICATIONFAILED] no") as server,
        watching(mailbox(server, folders=("A", "B", "C", "D", "E")), times=RetryTimes()) as watched,
    ):
        await until(lambda: all("sign-in" in one["state"] for one in watched.intake.status()["folders"]))
        assert server.sign_ins == 1


async def test_words_of_a_busy_server() -> None:
    """A sign-in that is put off is no wrong password, and the pause that the server asks for is kept."""
    async with hostile(login=b"NO Throttled. Suggested Backoff Time: 299910 milliseconds") as server:
        failure = await failure_of(mailbox(server))
    assert failure.kind is Kind.BUSY
    assert failure.wait == pytest.approx(299.91)


async def test_password_is_not_shown() -> None:
    """A server that sends the password back in its refusal does not get it into the error."""
    async with hostile(login=b"NO anna may not use secret here") as server:
        failure = await failure_of(mailbox(server))
    assert "secret" not in str(failure)
    assert "anna" not in str(failure)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"capabilities": b"IMAP4rev1"}, Kind.STARTTLS_MISSING),
        ({"greeting": b"* PREAUTH hello", "capabilities": b"IMAP4rev1 STARTTLS"}, Kind.STARTTLS_MISSING),
    ],
)
async def test_starttls_taken_away(settings: dict[str, bytes], kind: Kind) -> None:
    """Where STARTTLS is not offered, or a greeting of PREAUTH steps over it, nothing secret is sent."""
    async with hostile(**settings) as server:
        failure = await failure_of(mailbox(server, security="starttls"))
        assert failure.kind is kind
        assert server.sign_ins == 0


@pytest.mark.parametrize("injected", [b"* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n", b"* OK half a li"])
async def test_injection_before_tls(injected: bytes) -> None:
    """Bytes in the clear behind the answer to STARTTLS end the connection (RFC 9051 section 11.1)."""
    async with hostile(capabilities=b"IMAP4rev1 STARTTLS") as server:
        server.override["STARTTLS"] = lambda _: b"TAG OK begin\r\n" + injected
        failure = await failure_of(mailbox(server, security="starttls"))
        assert failure.kind is Kind.TLS
        assert "in the clear" in failure.message
        assert server.sign_ins == 0


async def test_a_greeting_that_waits_for_tls() -> None:
    """A TLS port says nothing to a client that speaks in the clear, so the hint names `security = "tls"`."""
    closed = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        closed.append(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = {"name": "m", "host": "127.0.0.1", "port": port, "username": "u", "password": "p"}
        for security in ("none", "starttls"):
            box = Mailbox.model_validate({**settings, "security": security, "timeout": 1})
            (problem,) = await probe(box)
            assert 'security = "tls"' in problem.hint
            assert problem.unreachable
        await until(lambda: len(closed) == 2)


@pytest.mark.parametrize("greeting", [b"* BYE too many connections", b"HTTP/1.1 400 Bad Request", b""])
async def test_odd_greetings(greeting: bytes) -> None:
    """A server that does not greet as a mail server does is given up, and nothing is sent to it."""
    async with hostile(greeting=greeting) as server:
        failure = await failure_of(mailbox(server, timeout=1))
        assert failure.kind in {Kind.BUSY, Kind.TIMED_OUT}
        assert server.commands == []


async def test_login_is_quoted() -> None:
    """Quotes and backslashes of user name and password arrive as they are."""
    async with hostile() as server:
        box = mailbox(server, username=r'a"b\c d', password=r"x\y")
        async with await open_connection(box):
            assert re.search(r'^LOGIN "a\\"b\\\\c d" "x\\\\y"$', server.commands[1])


async def test_defect_of_ours_stops_nothing() -> None:
    """An exception that nobody expected alarms without its words, and the mail is taken at the next try."""

    async def fail() -> None:
        if handover.cursors:
            handover.before_accept = None
            raise KeyError("private words")

    handover = FakeHandover(before_accept=fail)
    async with hostile(uids=[1], uidnext=2) as server, watching(mailbox(server), handover) as watched:
        await until(lambda: "KeyError" in watched.folder()["last_error"])
        assert "private" not in watched.folder()["last_error"]
        await watched.has("mail-1")


async def test_servers_that_want_to_know_who_comes() -> None:
    """Where ID is offered the bridge says who it is before it opens a folder, and goes on where that is refused."""
    async with hostile(capabilities=b"IMAP4rev1 IDLE ID", uids=[], uidnext=1) as server:
        server.override["ID"] = lambda _: b"TAG NO not today\r\n"
        async with watching(mailbox(server)) as watched:
            await watched.looked()
        told = [command.split(" ")[0] for command in server.commands]
        assert told.index("ID") < told.index("EXAMINE")
        assert '"name" "acd-bridge"' in server.commands[told.index("ID")]


async def test_an_outage_is_one_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away for long is one warning, one alarm and one recovery, however often it is tried."""
    monkeypatch.setattr("bridge.intake.imap.incident.OVERDUE", 2.5)
    monkeypatch.setattr("bridge.intake.imap.incident.POLLS", 0)
    monkeypatch.setattr("bridge.intake.imap.lookout.EVERY_SECONDS", 0.05)
    with capture_logs() as lines:
        async with hostile(uidnext=1) as server, watching(mailbox(server, poll=1)) as watched:
            await watched.looked()
            server.login = b"NO [UNAVAILABLE] later"
            server.push(b"* BYE going down")
            await until(lambda: "mailbox-unwatched" in names(lines), within=15)
            tried = server.sign_ins
            await until(lambda: server.sign_ins > tried + 2, within=15)
            server.login = b"OK done"
            await until(lambda: "mailbox-watched-again" in names(lines))
    loud = [line["event"] for line in lines if line["log_level"] in {"warning", "error"}]
    assert sorted(loud) == ["connection-lost", "mailbox-unwatched", "server-busy"]
    assert names(lines).count("mailbox-watched-again") == 1


def names(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


async def test_bytes_are_counted_by_mailbox() -> None:
    """What the server sends for a mailbox is counted, on all of its connections."""
    metric, label = "acd_bridge_imap_received_bytes_total", {"mailbox": "m"}
    before = REGISTRY.get_sample_value(metric, label) or 0.0
    async with hostile(uids=[1], uidnext=2) as server, watching(mailbox(server)) as watched:
        await watched.has("mail-1")
    counted = (REGISTRY.get_sample_value(metric, label) or 0.0) - before
    assert len(fetch_line(1)) < counted < 10_000


async def test_misses_shorten_the_slices_of_idle() -> None:
    """A server whose IDLE tells nothing has it begun anew more often."""
    async with (
        hostile(uids=[], uidnext=1) as server,
        watching(mailbox(server, poll=1, idle_slice=40)) as watched,
    ):
        await watched.looked()
        keeper = watched.intake._keepers[0]
        assert isinstance(keeper, ConnectionKeeper)
        # What comes before IDLE has begun is found by the look that goes before it, and is no miss.
        await until(lambda: any(one.startswith("IDLE") for one in server.commands))
        server.arrive(1)
        await until(lambda: keeper._slice.seconds < 40)
        assert watched.handover.subjects() == ["mail-1"]


@pytest.mark.parametrize(
    "factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_command_on_a_lost_connection_tells_how_it_was_lost(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """uvloop refuses to write to a closed connection with an error of its own; that is no defect of the bridge."""

    async def lose() -> tuple[Kind, Kind, Kind]:
        async with hostile(uids=[1], uidnext=2) as server:
            connection = await open_connection(mailbox(server))
            await connection.examine("INBOX")
            idling = await open_connection(mailbox(server))
            await idling.examine("INBOX")
            assert await idling._begin_idle()
            server.push(b"* BYE Server shutting down.")
            server.hang_up()
            await until(connection._protocol.dead.done)
            await until(idling._protocol.dead.done)
            kinds = [await kind_of(connection.examine("INBOX")), await kind_of(connection.idle(1))]
            kinds.append(await kind_of(idling._end_idle()))
            await connection.close()
            await idling.close()
            return kinds[0], kinds[1], kinds[2]

    with asyncio.Runner(loop_factory=factory) as runner:
        assert set(runner.run(lose())) == {Kind.LOST}


async def kind_of(work: Awaitable[object]) -> Kind:
    with pytest.raises(MailServerError) as caught:
        await work
    return caught.value.kind
