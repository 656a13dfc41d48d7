"""What the IMAP side does on every server: the embedded one, a real Dovecot, and where it can the simulated one."""

import pytest

from bridge import metrics
from bridge.errors import StateFileError
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_window import MAX_HEADER
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.probe import probe
from bridge.message import Noticed
from bridge.testing.handover import FakeHandover
from tests.integration.imap.conftest import MailHost, and_simulated, mail, watching
from tests.wait import until


@and_simulated
async def test_first_start_leaves_old_mail_alone(mail_host: MailHost) -> None:
    """With `start = "now"` nothing that is there is taken, and the first mail after it is."""
    await mail_host.deliver("old-1", "old-2")
    async with watching(mail_host.mailbox()) as watched:
        await watched.looked()
        assert watched.handover.accepted == []
        await mail_host.deliver("new")
        await watched.has("new")
        folder = watched.folder()
        assert folder["last_uid"] == folder["baseline"]


@and_simulated
async def test_baseline_is_stored_before_anything_else(mail_host: MailHost) -> None:
    """A first start stores the cursor by itself, before the first mail, so that a crash in between replays
    nothing.
    """
    await mail_host.deliver("old")
    async with watching(mail_host.mailbox(start="all")) as watched:
        await watched.has("old")
        assert watched.handover.batches == [0, 1]


@and_simulated
async def test_start_all_takes_what_is_there_in_order(mail_host: MailHost) -> None:
    """With `start = "all"` every mail is taken once, oldest first, over several windows."""
    subjects = [f"mail-{number}" for number in range(40)]
    await mail_host.deliver(*subjects)
    async with watching(mail_host.mailbox(start="all")) as watched:
        await watched.has(*subjects)


@and_simulated
async def test_new_mail_is_pushed(mail_host: MailHost) -> None:
    """Mail arrives through IDLE, long before the next poll, one after another."""
    async with watching(mail_host.mailbox(poll=3600)) as watched:
        await watched.looked()
        for number in range(3):
            await mail_host.deliver(f"mail-{number}")
            await watched.has(*(f"mail-{count}" for count in range(number + 1)))
    assert watched.handover.noticed[-1] is Noticed.PUSH


@and_simulated
async def test_mail_between_opening_and_baseline_is_taken_once(mail_host: MailHost) -> None:
    """Mail that comes after the folder was opened and before its baseline is stored is taken, exactly
    once.
    """
    await mail_host.deliver("old")
    handover = FakeHandover()

    async def race() -> None:
        handover.before_accept = None
        await mail_host.deliver("raced")

    handover.before_accept = race
    async with watching(mail_host.mailbox(poll=3600), handover) as watched:
        await watched.has("raced")
        await mail_host.deliver("after")
        await watched.has("raced", "after")


@and_simulated
async def test_poll_finds_what_idle_does_not_tell(
    mail_host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose IDLE never tells anything loses nothing: the poll takes the mail, and it is counted."""

    async def deaf(self: Connection, seconds: float) -> bool:
        self._protocol.news.clear()
        await self.wait(seconds)
        self._protocol.news.clear()
        return False

    monkeypatch.setattr(Connection, "idle", deaf)
    counter = metrics.IMAP_IDLE_MISSED.labels(mailbox="support")
    before = counter._value.get()
    async with watching(mail_host.mailbox(poll=1)) as watched:
        await watched.looked()
        await mail_host.deliver("quiet")
        await watched.has("quiet")
        await until(lambda: counter._value.get() == before + 1)
    assert watched.handover.noticed == [Noticed.POLL]


@and_simulated
async def test_server_without_idle_is_polled(mail_host: MailHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server has no IDLE, the poll alone takes the mail, and nothing counts as missed."""
    monkeypatch.setattr(Connection, "can_idle", False)
    before = metrics.IMAP_IDLE_MISSED.labels(mailbox="support")._value.get()
    async with watching(mail_host.mailbox(poll=1)) as watched:
        await watched.looked()
        await mail_host.deliver("polled")
        await watched.has("polled")
    assert metrics.IMAP_IDLE_MISSED.labels(mailbox="support")._value.get() == before


async def test_several_folders_and_odd_names(mail_host: MailHost) -> None:
    """Each folder is watched by itself, whatever signs its name has."""
    folders = ("INBOX", "Büro & Anfragen", 'a "quoted" one', "日本語")
    for name in folders[1:]:
        await mail_host.make_folder(name)
    async with watching(mail_host.mailbox(folders=folders)) as watched:
        await watched.looked()
        for number, name in enumerate(folders):
            await mail_host.deliver(f"mail-{number}", folder=name)
        for number, name in enumerate(folders):
            await watched.has(f"mail-{number}", folder=name)


@and_simulated
async def test_more_folders_than_connections(mail_host: MailHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders beyond the bound share a connection and are all looked at; one that is missing stops no
    other.
    """
    monkeypatch.setattr("bridge.intake.imap.mailbox.MAX_CONNECTIONS", 2)
    for name in ("B", "C"):
        await mail_host.make_folder(name)
    folders = ("INBOX", "missing", "B", "C")
    async with watching(mail_host.mailbox(folders=folders, poll=1)) as watched:
        await until(lambda: all(watched.folder(name)["connected"] for name in ("INBOX", "B", "C")))
        for name in ("INBOX", "B", "C"):
            await mail_host.deliver(f"to-{name}", folder=name)
        for name in ("INBOX", "B", "C"):
            await watched.has(f"to-{name}", folder=name)
        assert "missing" in watched.folder("missing")["state"]


@and_simulated
async def test_expunge_and_move_under_our_hands(mail_host: MailHost) -> None:
    """Others may delete and move mail at any time: what is still there is taken, and the rest is no
    trouble.
    """
    await mail_host.make_folder("Done")
    await mail_host.deliver("keep-1", "delete", "move", "keep-2")
    handover = FakeHandover()
    async with watching(mail_host.mailbox(start="all"), handover) as watched:
        await watched.has("keep-1", "delete", "move", "keep-2")
        first = int(handover.messages[0].place.rsplit("/", 1)[1])
        await mail_host.expunge(first + 1)
        await mail_host.move(first + 2, "Done")
        await mail_host.deliver("new")
        await watched.has("keep-1", "delete", "move", "keep-2", "new")
    assert handover.unreadable == []
    fresh = FakeHandover()
    async with watching(mail_host.mailbox(start="all"), fresh) as watched:
        await watched.has("keep-1", "keep-2", "new")


@and_simulated
async def test_cursor_survives_a_restart(mail_host: MailHost) -> None:
    """What came while the bridge was down is taken at the next start; what was taken before is not asked
    for.
    """
    handover = FakeHandover()
    async with watching(mail_host.mailbox(), handover) as watched:
        await watched.looked()
        await mail_host.deliver("before")
        await watched.has("before")
    await mail_host.deliver("meanwhile")
    async with watching(mail_host.mailbox(), handover) as watched:
        await watched.has("before", "meanwhile")
    assert len(handover.receipts) == 2


@and_simulated
async def test_state_file_error_keeps_the_place(mail_host: MailHost) -> None:
    """Where nothing can be stored, the place is kept and the same mail is taken later, once."""
    failures = [StateFileError("the disk is full")] * 3

    async def fail() -> None:
        if handover.cursors and failures:
            raise failures.pop()

    handover = FakeHandover(before_accept=fail)
    async with watching(mail_host.mailbox(), handover) as watched:
        await until(lambda: ("support", "INBOX") in handover.cursors)
        await mail_host.deliver("stubborn")
        await watched.has("stubborn")
    assert not failures
    assert len(handover.receipts) == 1


async def test_seen_is_not_touched(mail_host: MailHost) -> None:
    """Neither reading the header nor fetching the text sets a flag."""
    await mail_host.deliver("unread")
    handover = FakeHandover(wants_text_of=lambda _: True)
    async with watching(mail_host.mailbox(start="all"), handover) as watched:
        await watched.has("unread")
    assert handover.messages[0].text.strip() == "text"
    assert b"Seen" not in await mail_host.flags()


async def test_text_only_where_it_is_wanted(mail_host: MailHost) -> None:
    """The text part of those mails is fetched whose route asks for it, and of no other."""
    fields = ("MIME-Version: 1.0", 'Content-Type: multipart/alternative; boundary="b"')
    body = (
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>no</p>\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Gr=C3=BC=C3=9Fe\r\n\r\nAm 23.11.2026 um 08:15 schrieb Anna:\r\n> alt\r\n--b--"
    )
    await mail_host.append(mail("wanted", body, *fields), mail("not-wanted", body, *fields))
    handover = FakeHandover(wants_text_of=lambda message: message.subject == "wanted")
    async with watching(mail_host.mailbox(start="all"), handover) as watched:
        await watched.has("wanted", "not-wanted")
    assert [message.text.strip() for message in handover.messages] == ["Grüße", ""]
    assert not any(message.degraded for message in handover.messages)


@and_simulated
async def test_big_header_is_cut_and_taken(mail_host: MailHost) -> None:
    """A header beyond the bound costs its end, not the mail, and not the mails beside it."""
    recipients = ",\r\n ".join(f"person{number}@example.org" for number in range(MAX_HEADER // 20))
    await mail_host.append(mail("before"), mail("big", "x", f"To: {recipients}"), mail("after"))
    async with watching(mail_host.mailbox(start="all")) as watched:
        await watched.has("before", "big", "after")
        big = watched.handover.messages[1]
        assert big.degraded
        assert any("longer" in note for note in big.notes)


@and_simulated
async def test_mail_without_any_header(mail_host: MailHost) -> None:
    """A mail of one line, or of nothing usable, is handed in like every other."""
    await mail_host.append(b"\r\n\r\n", mail("after"))
    async with watching(mail_host.mailbox(start="all")) as watched:
        await watched.has("", "after")


@and_simulated
async def test_missing_folder_waits_and_others_go_on(mail_host: MailHost) -> None:
    """A folder that does not exist alarms and is tried again; when somebody makes it, it is watched."""
    counter = metrics.IMAP_FAILURES.labels(mailbox="support", kind=Kind.FOLDER_MISSING.value)
    before = counter._value.get()
    async with watching(mail_host.mailbox(folders=("INBOX", "Later"))) as watched:
        await until(lambda: counter._value.get() > before)
        await until(lambda: watched.folder()["connected"])
        await mail_host.deliver("to-inbox")
        await watched.has("to-inbox")
        assert "folder-missing" in watched.folder("Later")["state"]
        await mail_host.make_folder("Later")
        await watched.looked()
        await mail_host.deliver("to-later", folder="Later")
        await watched.has("to-later", folder="Later")


@and_simulated
async def test_probe_finds_nothing_wrong(mail_host: MailHost) -> None:
    """The probe of a working mailbox is silent and changes nothing."""
    await mail_host.deliver("unread")
    assert await probe(mail_host.mailbox()) == []
    assert b"Seen" not in await mail_host.flags()


async def test_probe_names_near_folders(mail_host: MailHost) -> None:
    """A folder that is missing is named together with the one that was probably meant."""
    await mail_host.make_folder("Anfragen")
    (problem,) = await probe(mail_host.mailbox(folders=("INBOX", "Anfrage")))
    assert problem.key == "mailbox[support].folders"
    assert "'Anfrage'" in problem.what
    assert "'Anfragen'" in problem.hint


async def test_probe_tells_a_refused_password(mail_host: MailHost) -> None:
    """A wrong password is told as such, without the password."""
    (problem,) = await probe(mail_host.mailbox(password="x"))
    assert problem.key == "mailbox[support].password"
    assert "refuses" in problem.what
    assert "app password" in problem.hint


async def test_sign_in_failure_closes_the_connection(mail_host: MailHost) -> None:
    """After a refused sign-in no socket is left open."""
    with pytest.raises(MailServerError) as failure:
        await open_connection(mail_host.mailbox(password="wrong"))
    assert failure.value.kind is Kind.SIGN_IN_REFUSED


@and_simulated
async def test_tick_moves_on_while_all_is_well(mail_host: MailHost) -> None:
    """The watchdog's tick is at most now, and never falls behind while the folder is watched."""
    async with watching(mail_host.mailbox()) as watched:
        await watched.looked()
        first = watched.intake.tick
        await until(lambda: watched.intake.tick > first)
