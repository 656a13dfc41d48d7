"""Sending notices over real sockets, to receivers that behave and to such that do not."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.config.follow_up import Notify
from bridge.errors import StateFileError
from bridge.ledger import notices
from bridge.ledger.follow_ups import FollowedRoute, FollowUpOutcome, Looked
from bridge.ledger.ledger import Ledger
from bridge.ledger.notices import Notice, NoticeState
from bridge.ledger.visit import look
from bridge.notify.notifier import Notifier
from tests.integration.acd.certificate import self_signed
from tests.receiver import SECRET, receiver
from tests.unit.ledger.making import created, new_item
from tests.wait import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.notify.notifier.LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr("bridge.notify.notice.FIRST_WAIT", 0.02)
    monkeypatch.setattr("bridge.notify.notice.LONGEST_WAIT", 0.05)
    monkeypatch.setattr("bridge.notify.notifier.LONGEST_RECEIVER_WAIT", 0.05)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A state file in which two events are Done and are to be told."""
    made = await Ledger.open(tmp_path / "state.db")
    followed = [FollowedRoute(route="billing", notify="desk")]
    await made.follow_ups.set_routes(followed, first=1, longest=1, now=1)
    await made.accept([new_item(key, route="billing") for key in ("k1", "k2")], None, now=1)
    claimed = await made.turn([], 2, now=1)
    await made.turn([(one, created(number)) for number, one in enumerate(claimed, 5)], 0, now=2)
    ends = [
        Looked(item_id=number, due_at=3, steady=0, told=True, outcome=FollowUpOutcome.DONE)
        for number in (1, 2)
    ]
    await made.follow_ups.record(ends, now=round(time.time() * 1000))
    yield made
    await made.close()


def state(folder: Path, item_id: int = 1) -> NoticeState:
    found = look(folder / "state.db", partial(notices.state_of, item_id=item_id))
    assert found is not None
    return found


@asynccontextmanager
async def notifying(ledger: Ledger, url: str, **more: Any) -> AsyncIterator[Notifier]:
    wanted = {"name": "desk", "url": url, "secrets": [SECRET], "timeout": 0.5, "give_up_after": "30d"}
    notifier = Notifier(Notify.model_validate(wanted | more), ledger.notices)
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_certificate_must_be_trusted(tmp_path: Path, ledger: Ledger) -> None:
    """Without its certificate nothing is sent to the receiver; with `ca_file` it is told."""
    file, tls = self_signed(tmp_path)
    async with receiver(tls=tls) as desk:
        async with notifying(ledger, desk.url):
            await until(lambda: state(tmp_path).tries)
        assert (desk.tried, state(tmp_path).detail) == ([], "no answer: ClientConnectorCertificateError")
        async with notifying(ledger, desk.url, ca_file=file):
            await until(lambda: len(desk.taken) == 2)


async def test_a_ca_file_that_cannot_be_read_is_waited_for(tmp_path: Path, ledger: Ledger) -> None:
    """Nothing is tried without it, and no try is used up; once it is there the receiver is told."""
    file, tls = self_signed(tmp_path)
    later = tmp_path / "later.pem"
    async with receiver(tls=tls) as desk, notifying(ledger, desk.url, ca_file=str(later)) as notifier:
        await until(lambda: notifier._failures >= 2)
        assert state(tmp_path).tries == 0
        later.write_bytes(Path(file).read_bytes())
        await until(lambda: len(desk.taken) == 2)


async def test_a_secret_that_cannot_be_used_is_waited_for(tmp_path: Path, ledger: Ledger) -> None:
    """Neither a missing file nor one with something else in it ends anything; a rotated one is seen at once."""
    file = tmp_path / "secret"
    async with receiver() as desk, notifying(ledger, desk.url, secrets=[{"file": str(file)}]) as notifier:
        await until(lambda: notifier._failures >= 2)
        file.write_text("a password")
        failures = notifier._failures
        await until(lambda: notifier._failures >= failures + 2)
        assert (state(tmp_path).tries, desk.tried) == (0, [])
        file.write_text(SECRET)
        await until(lambda: len(desk.taken) == 2)


async def test_a_notice_that_is_refused_alone_keeps_no_other(tmp_path: Path, ledger: Ledger) -> None:
    """The receiver dislikes the first one; the second is taken meanwhile."""
    async with receiver(statuses=[400, 204, 400]) as desk, notifying(ledger, desk.url):
        await until(lambda: state(tmp_path, 2).outcome == "taken")
        await until(lambda: state(tmp_path, 1).outcome == "taken")
        assert desk.tried[0] != desk.tried[1]


async def test_a_defect_with_one_notice_keeps_no_other(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot even be made is tried again later, and the next one is sent."""

    def broken(notice: Notice) -> bytes:
        if notice.key == "k1":
            raise KeyError("a defect")
        return b"{}"

    monkeypatch.setattr("bridge.notify.notifier.body", broken)
    async with receiver() as desk, notifying(ledger, desk.url):
        await until(lambda: state(tmp_path, 2).outcome == "taken")
    assert state(tmp_path, 1).detail == "a defect; the log says more"


async def test_410_ends_it(tmp_path: Path, ledger: Ledger) -> None:
    """The receiver wants no more of this one, and is not asked again; other notices are sent."""
    async with receiver(statuses=[410]) as desk, notifying(ledger, desk.url):
        await until(lambda: state(tmp_path, 2).outcome == "taken")
    assert (state(tmp_path, 1).outcome, len(desk.tried)) == ("gone", 2)


async def test_the_end_of_the_time_is_the_end(tmp_path: Path, ledger: Ledger) -> None:
    """A notice that nobody takes is given up, with the last words."""
    async with receiver(statuses=[500] * 99) as desk, notifying(ledger, desk.url, give_up_after=0.2):
        await until(lambda: state(tmp_path, 1).outcome == "gave-up")
    assert state(tmp_path, 1).detail == "given up after 0 s; last: HTTP 500"


async def test_a_state_file_that_fails_for_a_while(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken and could not be written down is sent again under the same ID: at least once."""
    failures = 2
    record = notices.Notices.record

    async def failing(self: notices.Notices, *sent: Any, **more: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise StateFileError("the disk is full")
        await record(self, *sent, **more)

    monkeypatch.setattr(notices.Notices, "record", failing)
    async with receiver() as desk, notifying(ledger, desk.url):
        await until(lambda: state(tmp_path, 2).outcome == "taken")
    assert len(desk.tried) == 4
    assert len(set(desk.tried)) == 2


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff nonsense\r\n\r\n")


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000)


async def _silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


@pytest.mark.parametrize("talk", [_nonsense, _hang_up, _endless_headers, _silence])
async def test_what_is_no_answer_is_none(tmp_path: Path, ledger: Ledger, talk: Talk) -> None:
    """Garbage, a broken connection, headers without end and silence are bounded, and the notice is tried again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, notifying(ledger, f"http://127.0.0.1:{port}/"):
        await until(lambda: state(tmp_path).tries >= 2)
    assert state(tmp_path).outcome == ""
    assert state(tmp_path).detail.startswith("no answer")


async def test_an_answer_without_end_is_not_read(tmp_path: Path, ledger: Ledger) -> None:
    """Its status counts; nobody waits for its body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000)
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, notifying(ledger, f"http://127.0.0.1:{port}/"):
        await until(lambda: state(tmp_path, 2).outcome == "taken")
