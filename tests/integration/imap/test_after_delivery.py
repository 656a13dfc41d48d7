"""What happens to mails once their event is settled, on a real server that people use at the same time."""

import asyncio
import imaplib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.config.mailbox import AfterDelivery, Mailbox
from bridge.intake.imap import after_delivery_keeper
from bridge.intake.imap.after_delivery import Step, Verb
from bridge.intake.imap.after_delivery_folder import ANOTHER, RENUMBERED, Results, _Folder, carry_out
from bridge.intake.imap.after_delivery_keeper import AfterDeliveryKeeper
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.ledger.ledger import Ledger
from bridge.ledger.mail_actions import ActionState, MailAction, state_of
from bridge.ledger.visit import look
from tests.dovecot import Dovecot
from tests.integration.imap.conftest import QUICK, MailHost, mail
from tests.unit.ledger.making import created, new_item
from tests.wait import until

pytestmark = pytest.mark.dovecot

MOVE = AfterDelivery(action="move", folder="Erledigt/Büro")
DELETE = AfterDelivery(action="delete")
KEYWORD = AfterDelivery(action="keyword", keyword="ACD")
SEEN = AfterDelivery(action="seen")


class CrashError(Exception):
    """Stands for the end of the process."""


@dataclass
class Account:
    """An account with three mails, seen by the bridge and by a mail program."""

    host: MailHost
    uidvalidity: int
    came: Mapping[int, int]
    """When each mail came, by its UID."""

    @classmethod
    async def of(cls, host: MailHost) -> "Account":
        async with await open_connection(host.mailbox()) as connection:
            uidvalidity = (await connection.examine("INBOX")).uidvalidity
        return cls(host, uidvalidity, await host.came())

    def action(self, uid: int, *, begun: bool = False, tries: int = 0) -> MailAction:
        return MailAction(
            item_id=uid,
            places=(f"INBOX/{self.uidvalidity}/{uid}",),
            message_id=f"m{uid}@example.org",
            received_at=self.came[uid],
            tries=tries,
            begun=begun,
        )

    async def flags(self, folder: str = "INBOX") -> dict[str, str]:
        """The flags of each mail, by its subject."""

        def work(client: imaplib.IMAP4) -> dict[str, str]:
            _, (number,) = client.select(wire(folder), readonly=True)
            if number == b"0":
                return {}
            _, told = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            pairs = [one for one in told if isinstance(one, tuple)]
            return {subject.decode().split()[1]: flags.decode() for flags, subject in pairs}

        return dict(await self.host._as_client(work))

    async def subjects(self, folder: str = "INBOX") -> list[str]:
        return sorted(await self.flags(folder))

    async def carry_out(self, wanted: AfterDelivery, actions: Sequence[MailAction], *without: str) -> Results:
        """Do it on a connection of its own; the server is taken as one without these capabilities."""
        async with self.connected(*without) as connection:
            return await carry_out(connection, wanted, "INBOX", actions, begin)

    @asynccontextmanager
    async def connected(self, *without: str) -> AsyncIterator[Connection]:
        async with await open_connection(self.host.mailbox()) as connection:
            connection._protocol.capabilities -= set(without)
            yield connection


async def begin(_: Sequence[int]) -> None:
    """Nothing is written down."""


def wire(folder: str) -> str:
    return {"Erledigt/Büro": '"Erledigt/B&APw-ro"'}.get(folder, f'"{folder}"')


@pytest.fixture
async def account(dovecot_host: MailHost) -> Account:
    await dovecot_host.deliver("m1", "m2", "m3")
    await dovecot_host.make_folder("Erledigt/Büro")
    return await Account.of(dovecot_host)


def outcomes(results: Results) -> dict[int, str]:
    return {one.item_id: one.outcome.value for one in results.ended}


@pytest.mark.parametrize(("wanted", "flag"), [(KEYWORD, "ACD"), (SEEN, "\\Seen")])
async def test_flags(account: Account, wanted: AfterDelivery, flag: str) -> None:
    """The delivered mails get the flag, and no other one does; doing it again changes nothing."""
    for _ in range(2):
        results = await account.carry_out(wanted, [account.action(1), account.action(3)])
        assert (outcomes(results), results.refused) == ({1: "done", 3: "done"}, {})
    flags = await account.flags()
    assert [flag in flags[subject] for subject in ("m1", "m2", "m3")] == [True, False, True]


@pytest.mark.parametrize("without", [(), ("MOVE",)])
async def test_move(account: Account, without: tuple[str, ...]) -> None:
    """The mails are in the other folder once, with or without MOVE; a mail that a person marked stays."""
    await account.carry_out(DELETE, [account.action(2)], "UIDPLUS")
    results = await account.carry_out(MOVE, [account.action(1), account.action(3)], *without)
    assert outcomes(results) == {1: "done", 3: "done"}
    assert await account.subjects("Erledigt/Büro") == ["m1", "m3"]
    assert await account.subjects() == ["m2"]
    assert "\\Deleted" not in (await account.flags("Erledigt/Büro"))["m1"]


async def test_delete(account: Account) -> None:
    """The mail is gone for good; one that a person marked as deleted stays."""
    await account.carry_out(DELETE, [account.action(2)], "UIDPLUS")
    assert outcomes(await account.carry_out(DELETE, [account.action(1)])) == {1: "done"}
    assert await account.subjects() == ["m2", "m3"]


@pytest.mark.parametrize("wanted", [DELETE, MOVE])
async def test_servers_without_uidplus(account: Account, wanted: AfterDelivery) -> None:
    """There the mail is only marked, and the outcome says so."""
    results = await account.carry_out(wanted, [account.action(1)], "UIDPLUS", "MOVE")
    assert outcomes(results) == {1: "marked-deleted"}
    assert "UIDPLUS" in results.ended[0].detail
    assert "\\Deleted" in (await account.flags())["m1"]
    assert await account.subjects("Erledigt/Büro") == (["m1"] if wanted is MOVE else [])


@pytest.mark.parametrize("wanted", [KEYWORD, SEEN, MOVE, DELETE])
async def test_a_mail_that_somebody_took_away(account: Account, wanted: AfterDelivery) -> None:
    """It ends its own action quietly, and the others' go on."""
    await account.host.move(2, "Erledigt/Büro")
    results = await account.carry_out(wanted, [account.action(1), account.action(2)])
    assert outcomes(results) == {1: "done", 2: "vanished"}
    assert results.refused == {}


@pytest.mark.parametrize("wanted", [KEYWORD, SEEN, MOVE, DELETE])
async def test_a_mail_taken_away_between_two_commands(
    account: Account, wanted: AfterDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent who is faster than the bridge disturbs nothing."""
    original = _Folder._change

    async def late(self: _Folder, *arguments: Any) -> None:
        await account.host.expunge(2)
        await original(self, *arguments)

    monkeypatch.setattr(_Folder, "_change", late)
    results = await account.carry_out(wanted, [account.action(1), account.action(2)])
    assert outcomes(results)[1] == "done"
    assert results.refused == {}


@pytest.mark.parametrize("without", [(), ("MOVE",)])
@pytest.mark.parametrize("after", range(4))
async def test_a_crash_within_a_move(
    account: Account, without: tuple[str, ...], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stopped, the second try leaves exactly one mail, in the target folder."""
    original, done = _Folder._perform, 0

    async def crashing(self: _Folder, step: Step, uids: Sequence[int]) -> dict[int, str]:
        nonlocal done
        if done == after:
            raise CrashError
        done += 1
        refused = await original(self, step, uids)
        if done == after:
            raise CrashError
        return refused

    with monkeypatch.context() as patched:
        patched.setattr(_Folder, "_perform", crashing)
        steps = 1 if not without else 3
        if after <= steps:
            with pytest.raises(CrashError):
                await account.carry_out(MOVE, [account.action(1)], *without)
    results = await account.carry_out(MOVE, [account.action(1, begun=True)], *without)
    assert outcomes(results) == {1: "done"}
    assert await account.subjects() == ["m2", "m3"]
    assert await account.subjects("Erledigt/Büro") == ["m1"]
    assert await count(account, "Erledigt/Büro") == 1


async def count(account: Account, folder: str) -> int:
    def work(client: imaplib.IMAP4) -> int:
        _, told = client.select(wire(folder), readonly=True)
        return int(told[0] or b"0")

    return int(await account.host._as_client(work))


async def test_the_test_of_crashes_can_fail(account: Account) -> None:
    """Without the note that it was begun, a second try after the copy would leave two."""
    async with account.connected("MOVE") as connection:
        await connection.select("INBOX")
        await connection.expect_ok("COPY", "1", wire("Erledigt/Büro"), prefix="UID")
    await account.carry_out(MOVE, [account.action(1, begun=False)], "MOVE")
    assert await count(account, "Erledigt/Büro") == 2


async def test_another_mail_of_the_same_message_id_is_no_copy(account: Account) -> None:
    """A mail of the same Message-ID and another size in the target keeps nothing from being moved."""
    await account.host.append(mail("m1", body="another text altogether"), folder="Erledigt/Büro")
    await account.carry_out(MOVE, [account.action(1, begun=True)], "MOVE")
    assert await count(account, "Erledigt/Büro") == 2


async def test_a_target_that_is_missing(account: Account) -> None:
    """The mails stay, and the words say what to do."""
    wanted = AfterDelivery(action="move", folder="Nowhere")
    results = await account.carry_out(wanted, [account.action(1), account.action(2)])
    assert results.ended == []
    assert all("make folder 'Nowhere'" in words for words in results.refused.values())
    assert await account.subjects() == ["m1", "m2", "m3"]


async def test_a_source_folder_that_is_gone(account: Account) -> None:
    """The action waits; the connection is of further use."""
    async with account.connected() as connection:
        results = await carry_out(connection, SEEN, "Gone", [account.action(1)], begin)
        assert "Gone" in results.refused[1]
        assert outcomes(await carry_out(connection, SEEN, "INBOX", [account.action(1)], begin)) == {1: "done"}


@pytest.mark.parametrize("wanted", [KEYWORD, SEEN, MOVE, DELETE])
async def test_a_folder_that_can_only_be_read(
    account: Account, wanted: AfterDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried in it, and the words say what to do."""
    original = Connection.command

    async def examining(self: Connection, name: str, *arguments: str, **more: Any) -> Any:
        return await original(self, "EXAMINE" if name == "SELECT" else name, *arguments, **more)

    monkeypatch.setattr(Connection, "command", examining)
    results = await account.carry_out(wanted, [account.action(1)])
    assert "can only be read" in results.refused[1]
    assert await account.subjects() == ["m1", "m2", "m3"]


async def test_a_mail_of_another_numbering(account: Account) -> None:
    """A UID of another UIDVALIDITY is left alone: looked for again, and given up quietly after a while."""
    old = MailAction(item_id=9, places=("INBOX/1/1",), message_id="", received_at=1, tries=0, begun=False)
    assert (await account.carry_out(DELETE, [old])).refused == {9: RENUMBERED}
    older = MailAction(item_id=9, places=("INBOX/1/1",), message_id="", received_at=1, tries=4, begun=False)
    assert outcomes(await account.carry_out(DELETE, [older])) == {9: "vanished"}
    assert await account.subjects() == ["m1", "m2", "m3"]


async def test_a_mail_that_was_begun_before_another_numbering(account: Account) -> None:
    """One whose action was begun and that is not found again was taken away by the bridge itself: it is done."""
    old = MailAction(item_id=9, places=("INBOX/1/1",), message_id="", received_at=1, tries=4, begun=True)
    assert outcomes(await account.carry_out(MOVE, [old])) == {9: "done"}


@pytest.mark.parametrize("wanted", [KEYWORD, SEEN, MOVE, DELETE])
async def test_a_server_restored_from_a_backup(dovecot: Dovecot, wanted: AfterDelivery) -> None:
    """Under the same UIDVALIDITY a UID means another mail then: that mail stays as it is."""
    host = MailHost(dovecot.host, dovecot.port, "anna")
    await host.make_folder("Erledigt/Büro")
    await host.deliver("m1")
    dovecot.stop()
    copy = dovecot.back_up("anna")
    dovecot.start()
    await host.deliver("m2", "m3")
    account = await Account.of(host)
    dovecot.stop()
    dovecot.restore("anna", copy)
    dovecot.start()
    await host.deliver("other")
    restored = await Account.of(host)
    assert (restored.uidvalidity, list(restored.came)) == (account.uidvalidity, [1, 2])
    results = await account.carry_out(wanted, [account.action(uid) for uid in (1, 2, 3)])
    assert outcomes(results) == {1: "done", 2: "vanished", 3: "vanished"}
    assert {one.item_id: one.detail for one in results.ended} == {1: "", 2: ANOTHER, 3: ""}
    flags = (await account.flags())["other"]
    assert not [flag for flag in ("\\Seen", "\\Deleted", "ACD") if flag in flags]


async def test_one_refused_mail_does_not_keep_the_others(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a command is refused for several, each mail is tried alone."""
    original = Connection.command

    async def picky(self: Connection, name: str, *arguments: str, **more: Any) -> Any:
        answer = await original(self, name, *arguments, **more)
        refuses = name == Verb.STORE and arguments[0] in {"1:3", "2"}
        return answer._replace(result="NO", words="not this one") if refuses else answer

    monkeypatch.setattr(Connection, "command", picky)
    results = await account.carry_out(SEEN, [account.action(uid) for uid in (1, 2, 3)])
    assert outcomes(results) == {1: "done", 3: "done"}
    assert list(results.refused) == [2]


# From the ledger to the folder: the keeper.


@dataclass
class Kept:
    """A state file, a mailbox and its keeper at work."""

    ledger: Ledger
    path: Path
    account: Account

    async def settle(self, *uids: int) -> None:
        """Deliver these mails' events."""
        place, came = f"INBOX/{self.account.uidvalidity}", self.account.came
        items = [new_item(f"item{uid}", place=f"{place}/{uid}", received_at=came[uid]) for uid in uids]
        await self.ledger.accept(items, None, now=10)
        claimed = await self.ledger.turn([], 10, now=20)
        await self.ledger.turn([(one, created(one.id)) for one in claimed], 0, now=30)

    def state(self, item_id: int = 1) -> ActionState | None:
        return look(self.path, lambda conn: state_of(conn, item_id))

    def ended(self, item_id: int = 1) -> bool:
        state = self.state(item_id)
        return state is not None and state.ended_at is not None


@asynccontextmanager
async def keeping(path: Path, account: Account, mailbox: Mailbox) -> AsyncIterator[Kept]:
    ledger = await Ledger.open(path)
    await ledger.mail_actions.set_sources(["support"], now=1)
    keeper = AfterDeliveryKeeper(mailbox, ledger.mail_actions, SignInGate(), times=QUICK)
    task = asyncio.create_task(keeper.run())
    try:
        yield Kept(ledger, path, account)
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ledger.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(after_delivery_keeper, "wait_after", lambda _: 0.05)


@pytest.mark.usefixtures("quick")
async def test_settled_mails_are_moved(account: Account, tmp_path: Path) -> None:
    """What is settled goes, what is not stays, and the state file says so."""
    mailbox = account.host.mailbox(after_delivery=MOVE)
    async with keeping(tmp_path / "state.db", account, mailbox) as kept:
        await kept.settle(1, 3)
        await until(lambda: kept.ended(1) and kept.ended(2))
        assert await account.subjects("Erledigt/Büro") == ["m1", "m3"]
        assert await account.subjects() == ["m2"]


@pytest.mark.usefixtures("quick")
async def test_the_connection_is_closed_when_there_is_nothing_to_do(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened for the first mail, closed after a while, and opened again for the next one."""
    monkeypatch.setattr(after_delivery_keeper, "KEEP_OPEN_SECONDS", 0.01)
    opened: list[Connection] = []
    closed: list[Connection] = []
    close = Connection.close

    async def opening(mailbox: Mailbox, *_: object) -> Connection:
        opened.append(await open_connection(mailbox))
        return opened[-1]

    async def closing(self: Connection) -> None:
        await close(self)
        closed.append(self)

    monkeypatch.setattr(after_delivery_keeper, "open_connection", opening)
    monkeypatch.setattr(Connection, "close", closing)
    async with keeping(tmp_path / "state.db", account, account.host.mailbox(after_delivery=SEEN)) as kept:
        assert opened == []
        await kept.settle(1)
        await until(lambda: kept.ended(1) and opened and closed == opened)
        await kept.settle(2)
        await until(lambda: kept.ended(2) and len(opened) == 2)


@pytest.mark.usefixtures("quick")
async def test_refusals_are_tried_again(account: Account, tmp_path: Path) -> None:
    """A missing target is waited for, with every refusal counted; once it is there, the mail goes."""
    wanted = AfterDelivery(action="move", folder="Later")
    async with keeping(tmp_path / "state.db", account, account.host.mailbox(after_delivery=wanted)) as kept:
        await kept.settle(1)
        await until(lambda: (state := kept.state()) is not None and state.tries >= 2)
        assert not kept.ended()
        await account.host.make_folder("Later")
        await until(kept.ended)
        assert await account.subjects("Later") == ["m1"]


@pytest.mark.usefixtures("quick")
async def test_a_crash_before_the_record(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail was moved and the state file does not know: the next start finds that out and is content."""
    mailbox = account.host.mailbox(after_delivery=MOVE)
    record: Callable[..., Any] = AfterDeliveryKeeper._record
    crashed = asyncio.Event()

    async def crash(*_: Any) -> None:
        crashed.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(AfterDeliveryKeeper, "_record", crash)
    async with keeping(tmp_path / "state.db", account, mailbox) as kept:
        await kept.settle(1)
        await asyncio.wait_for(crashed.wait(), 5)
    monkeypatch.setattr(AfterDeliveryKeeper, "_record", record)
    async with keeping(tmp_path / "state.db", account, mailbox) as kept:
        await until(kept.ended)
        state = kept.state()
        assert state is not None
        assert state.outcome == "done"
    assert await count(account, "Erledigt/Büro") == 1


@pytest.mark.usefixtures("quick")
async def test_a_server_that_is_away(dovecot: Dovecot, tmp_path: Path) -> None:
    """An outage costs no tries; what waits is done when the server is back."""
    host = MailHost(dovecot.host, dovecot.port, "anna")
    await host.deliver("m1")
    account = await Account.of(host)
    dovecot.kill()
    async with keeping(tmp_path / "state.db", account, host.mailbox(after_delivery=SEEN)) as kept:
        await kept.settle(1)
        dovecot.start()
        await until(kept.ended, within=10)
        state = kept.state()
        assert state is not None
        assert (state.outcome, state.tries) == ("done", 0)
