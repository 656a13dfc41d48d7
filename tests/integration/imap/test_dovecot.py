"""What only a real server of its own can show: TLS, restarts, half-open connections, renumbered folders."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.probe import probe
from bridge.intake.imap.sign_in import _login_with_literals
from bridge.testing.handover import FakeHandover
from tests.dovecot import Dovecot
from tests.integration.imap.conftest import MailHost, mail, watching
from tests.wait import until

pytestmark = pytest.mark.dovecot

DAY = 86_400.0


def host_of(server: Dovecot, user: str) -> MailHost:
    return MailHost(server.host, server.port, user)


async def failure_of(mailbox: Mailbox) -> MailServerError:
    with pytest.raises(MailServerError) as caught:
        await open_connection(mailbox)
    return caught.value


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mail_over_tls(shared_dovecot: Dovecot, dovecot_host: MailHost, security: str) -> None:
    """Over TLS and after STARTTLS, mail is pushed as without."""
    port = shared_dovecot.tls_port if security == "tls" else shared_dovecot.port
    mailbox = dovecot_host.mailbox(port=port, security=security, ca_file=shared_dovecot.ca_file)
    async with watching(mailbox) as watched:
        await watched.looked()
        await dovecot_host.deliver("safe")
        await watched.has("safe")


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_untrusted_certificate(shared_dovecot: Dovecot, dovecot_host: MailHost, security: str) -> None:
    """A certificate that nobody vouches for ends the connection before the password is sent."""
    port = shared_dovecot.tls_port if security == "tls" else shared_dovecot.port
    (problem,) = await probe(dovecot_host.mailbox(port=port, security=security))
    assert problem.key == "mailbox[support].security"
    assert "not trusted" in problem.what
    assert "ca_file" in problem.hint


async def test_tls_to_a_plain_port(shared_dovecot: Dovecot, dovecot_host: MailHost) -> None:
    """TLS to the port that wants STARTTLS is told as that."""
    failure = await failure_of(dovecot_host.mailbox(security="tls", ca_file=shared_dovecot.ca_file))
    assert failure.kind is Kind.TLS
    assert "143" in failure.hint


async def test_nobody_listens(dovecot_host: MailHost) -> None:
    """A port without a server, and a name without an address, are told apart."""
    assert (await failure_of(dovecot_host.mailbox(port=1))).kind is Kind.UNREACHABLE
    assert (await failure_of(dovecot_host.mailbox(host="no-such-host.invalid"))).kind is Kind.DNS


async def test_password_that_is_missing(dovecot_host: MailHost) -> None:
    """A password that cannot be read is told by its place, and nothing is sent."""
    failure = await failure_of(dovecot_host.mailbox(password={"env": "NO_SUCH_VARIABLE_HERE"}))
    assert failure.kind is Kind.SECRET
    assert "NO_SUCH_VARIABLE_HERE" in str(failure)


async def test_names_beyond_ascii_sign_in(shared_dovecot: Dovecot) -> None:
    """A user name with an umlaut signs in by AUTHENTICATE PLAIN."""
    host = host_of(shared_dovecot, "jürgen")
    async with await open_connection(host.mailbox()) as connection:
        assert (await connection.examine("INBOX")).uidnext == 1


async def test_login_with_literals(shared_dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    """LOGIN with literals signs in on servers that offer nothing better for names beyond ASCII."""
    monkeypatch.setattr(
        "bridge.intake.imap.open_connection.way_to_sign_in",
        lambda _, user, password: _login_with_literals(user.encode(), password.encode()),
    )
    async with await open_connection(host_of(shared_dovecot, "jürgen 2").mailbox()) as connection:
        assert (await connection.examine("INBOX")).uidvalidity


async def test_wrong_password_of_one_mailbox(dovecot_host: MailHost) -> None:
    """One mailbox with a wrong password waits and alarms; the other one goes on."""
    counter = metrics.IMAP_FAILURES.labels(mailbox="wrong", kind=Kind.SIGN_IN_REFUSED.value)
    before = counter._value.get()
    wrong = dovecot_host.mailbox(name="wrong", password="not-it", folders=("INBOX", "Other"))
    async with watching(wrong) as refused, watching(dovecot_host.mailbox()) as watched:
        await until(lambda: counter._value.get() > before)
        await watched.looked()
        await dovecot_host.deliver("fine")
        await watched.has("fine")
        assert "sign-in-refused" in refused.folder()["state"]
        assert "not-it" not in refused.folder()["last_error"]


async def test_killed_and_started_again(dovecot: Dovecot) -> None:
    """A server that dies is missed at once; when it is back, what came meanwhile is taken, exactly once."""
    host = host_of(dovecot, "anna")
    async with watching(host.mailbox()) as watched:
        await watched.looked()
        await host.deliver("before")
        await watched.has("before")
        dovecot.kill()
        await until(lambda: not watched.folder()["connected"])
        dovecot.drop("anna", mail("meanwhile"))
        dovecot.start()
        await watched.has("before", "meanwhile", within=10)
        await host.deliver("after")
        await watched.has("before", "meanwhile", "after")


async def test_stopped_in_order(dovecot: Dovecot) -> None:
    """A server that says BYE is no trouble either."""
    host = host_of(dovecot, "anna")
    async with watching(host.mailbox()) as watched:
        await watched.looked()
        dovecot.stop()
        await until(lambda: not watched.folder()["connected"])
        dovecot.start()
        await watched.looked()
        await host.deliver("after")
        await watched.has("after")


async def test_half_open_connection_is_noticed(dovecot: Dovecot) -> None:
    """A server that keeps the connection and answers nothing is given up within poll and timeout."""
    host = host_of(dovecot, "anna")
    counter = metrics.IMAP_FAILURES.labels(mailbox="support", kind=Kind.TIMED_OUT.value)
    before = counter._value.get()
    async with watching(host.mailbox(poll=1, timeout=1)) as watched:
        await watched.looked()
        dovecot.freeze()
        await until(lambda: counter._value.get() > before, within=5)
        assert watched.intake.tick > time.monotonic() - 1
        dovecot.thaw()
        await host.deliver("after")
        await watched.has("after", within=10)


async def test_stop_while_the_server_is_frozen(dovecot: Dovecot) -> None:
    """Stopping the bridge takes no longer than the goodbye's bound, whatever the server does."""
    async with watching(host_of(dovecot, "anna").mailbox()) as watched:
        await watched.looked()
        await asyncio.sleep(0)
        dovecot.freeze()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    dovecot.thaw()


async def test_uids_lost_with_everything_known(dovecot: Dovecot) -> None:
    """After a new UIDVALIDITY with `start = "all"`, known mail makes no second item, and new mail is
    taken.
    """
    dovecot.drop("anna", mail("one"), received_at=time.time() - 30 * DAY)
    dovecot.drop("anna", mail("two"), received_at=time.time() - 20 * DAY)
    handover = FakeHandover()
    mailbox = host_of(dovecot, "anna").mailbox(start="all")
    async with watching(mailbox, handover) as watched:
        await watched.has("one", "two")
    old = handover.cursors["support", "INBOX"]
    await _renumber(dovecot, old.uidvalidity)
    dovecot.drop("anna", mail("new"))
    async with watching(mailbox, handover) as watched:
        await watched.has("one", "two", "new")
    anew = handover.cursors["support", "INBOX"]
    assert (anew.uidvalidity != old.uidvalidity, anew.last_uid) == (True, 3)
    assert sum(receipt.new for receipt in handover.receipts) == 3


async def test_uids_lost_while_the_bridge_was_down(dovecot: Dovecot) -> None:
    """With `start = "now"`, mail that was left alone stays so after a new UIDVALIDITY, and new mail is
    taken.
    """
    for number in range(3):
        dovecot.drop("anna", mail(f"old-{number}"), received_at=time.time() - (30 - number) * DAY)
    handover = FakeHandover()
    host = host_of(dovecot, "anna")
    async with watching(host.mailbox(), handover) as watched:
        await watched.looked()
        await host.deliver("known")
        await watched.has("known")
    await _renumber(dovecot, handover.cursors["support", "INBOX"].uidvalidity)
    dovecot.drop("anna", mail("new"))
    async with watching(host.mailbox(), handover) as watched:
        await watched.has("known", "new")
        await host.deliver("after")
        await watched.has("known", "new", "after")
    assert handover.cursors["support", "INBOX"].baseline == 4


@pytest.mark.parametrize("came", [1, 3, 5])
@pytest.mark.parametrize("running", [True, False], ids=["watching", "down"])
async def test_a_server_restored_from_a_backup(dovecot: Dovecot, came: int, *, running: bool) -> None:
    """Each mail that came since is taken once, whether UIDNEXT is still behind the cursor or has overtaken it."""
    host = host_of(dovecot, "anna")
    handover = FakeHandover()
    new = [f"new-{number}" for number in range(came)]

    async def go_back_and_on() -> None:
        dovecot.stop()
        dovecot.restore("anna", copy)
        for number, subject in enumerate(new):
            dovecot.drop("anna", mail(subject), received_at=time.time() + number)
        dovecot.start()

    async with watching(host.mailbox(), handover) as watched:
        await watched.looked()
        await host.deliver("a", "b")
        await watched.has("a", "b")
    dovecot.stop()
    copy = dovecot.back_up("anna")
    dovecot.start()
    async with watching(host.mailbox(), handover) as watched:
        await host.deliver("c", "d", "e")
        await watched.has("a", "b", "c", "d", "e")
        uidvalidity = watched.folder()["uidvalidity"]
        if running:
            await go_back_and_on()
            await watched.has("a", "b", "c", "d", "e", *new, within=15)
    if not running:
        await go_back_and_on()
    async with watching(host.mailbox(), handover) as watched:
        await watched.has("a", "b", "c", "d", "e", *new, within=15)
        await host.deliver("after")
        await watched.has("a", "b", "c", "d", "e", *new, "after")
        assert watched.folder()["uidvalidity"] == uidvalidity


async def test_uids_lost_while_watching(dovecot: Dovecot) -> None:
    """The same while the bridge runs: it reads from the last good look on, and alarms."""
    counter = metrics.IMAP_FAILURES.labels(mailbox="support", kind=Kind.UIDVALIDITY_CHANGED.value)
    before = counter._value.get()
    dovecot.drop("anna", mail("left-alone"), received_at=time.time() - 7200)
    host = host_of(dovecot, "anna")
    async with watching(host.mailbox()) as watched:
        await watched.looked()
        dovecot.kill()
        await _renumber(dovecot, watched.folder()["uidvalidity"])
        dovecot.drop("anna", mail("new"))
        dovecot.start()
        await watched.has("new", within=10)
        assert counter._value.get() == before + 1


async def test_long_backlog_and_gaps(dovecot: Dovecot) -> None:
    """Some thousand mails with many gaps are taken once each, in order, in growing windows."""
    for number in range(1500):
        dovecot.drop("anna", mail(f"mail-{number}"), received_at=1_600_000_000.0 + number)
    host = host_of(dovecot, "anna")
    gone = range(100, 1400, 7)

    def expunge_some() -> None:
        with dovecot.client("anna") as client:
            client.select("INBOX")
            client.uid("STORE", ",".join(str(uid + 1) for uid in gone), "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()

    await asyncio.to_thread(expunge_some)
    async with watching(host.mailbox(start="all")) as watched:
        await watched.has(*(f"mail-{number}" for number in range(1500) if number not in gone), within=20)
        assert max(watched.handover.batches) == 500
        received = [message.received_at for message in watched.handover.messages]
        assert received[0] == datetime.fromtimestamp(1_600_000_000, UTC)


async def _renumber(server: Dovecot, old: int) -> None:
    """Dovecot makes a UIDVALIDITY from the second; wait until it can only be another one."""
    await until(lambda: time.time() > old + 1)
    server.forget_uids("anna")
