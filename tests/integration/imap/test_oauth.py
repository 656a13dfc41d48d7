"""Sign-in with OAuth against a real Dovecot that asks a token server about every token."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.intake.imap.diagnose import Step, diagnose
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.host_gates import HostGates
from bridge.intake.imap.mailbox import MailboxIntake
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.probe import probe
from bridge.ledger.ledger import Ledger
from bridge.ledger.refresh_tokens import visiting
from bridge.testing.handover import FakeHandover
from tests import whole
from tests.dovecot import Dovecot, running
from tests.integration.imap.conftest import QUICK, MailHost, Watched, watching
from tests.integration.imap.hostile import hostile
from tests.token_server import TokenServer, token_server
from tests.wait import until

pytestmark = pytest.mark.dovecot


@dataclass
class Bench:
    """A token server, and a Dovecot that believes it."""

    tokens: TokenServer
    dovecot: Dovecot

    def host(self, user: str) -> MailHost:
        return MailHost(self.dovecot.host, self.dovecot.port, user)

    def mailbox(self, user: str, **settings: Any) -> Mailbox:
        return self.host(user).mailbox(**({"password": None, "oauth": self.oauth(user)} | settings))

    def oauth(self, user: str) -> dict[str, str]:
        return {
            "provider": "microsoft365",
            "tenant": "t",
            "client_id": user,
            "client_secret": "s",
            "token_url": self.tokens.url,
        }

    def refreshing(self, user: str) -> dict[str, str]:
        return {
            "provider": "google",
            "client_id": user,
            "client_secret": "s",
            "refresh_token": "configured",
            "token_url": self.tokens.url,
        }


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with token_server() as tokens:
        url = tokens.url.replace("/token", "/introspect")
        with running(url) as dovecot:
            yield Bench(tokens, dovecot)


async def failure_of(mailbox: Mailbox) -> MailServerError:
    with pytest.raises(MailServerError) as caught:
        await open_connection(mailbox)
    return caught.value


async def test_mail_comes(bench: Bench) -> None:
    """A mailbox with a token is watched like any other, and one token serves all its connections."""
    await bench.host("anna").make_folder("Other")
    async with watching(bench.mailbox("anna", folders=("INBOX", "Other"))) as watched:
        await watched.looked()
        await bench.host("anna").deliver("one")
        await watched.has("one")
    assert len(bench.tokens.forms) == 1
    assert bench.tokens.forms[0]["grant_type"] == "client_credentials"


async def test_a_token_that_was_ended_is_renewed(bench: Bench) -> None:
    """When the mail server no longer takes a token, a new one is used at the same sign-in: no pause, no alarm."""
    refused = metrics.IMAP_FAILURES.labels(mailbox="support", kind=Kind.SIGN_IN_REFUSED.value)
    before = refused._value.get()
    async with watching(bench.mailbox("anna")) as watched:
        await watched.looked()
        bench.tokens.end_tokens()
        await asyncio.to_thread(bench.dovecot.stop)
        await until(lambda: not watched.folder()["connected"])
        await asyncio.to_thread(bench.dovecot.start)
        await watched.looked()
        await bench.host("anna").deliver("after")
        await watched.has("after")
    assert refused._value.get() == before
    assert len(bench.tokens.forms) == 2


async def test_a_revoked_grant_stops_no_other_mailbox(bench: Bench) -> None:
    """It alarms with the cause, the other mailbox goes on, and once it is granted anew the mail is taken."""
    counter = metrics.IMAP_FAILURES.labels(mailbox="revoked", kind=Kind.TOKEN_REFUSED.value)
    before = counter._value.get()
    bench.tokens.revoked.add("bert")
    async with (
        watching(bench.mailbox("bert", name="revoked", start="all")) as refused,
        watching(bench.mailbox("anna")) as watched,
    ):
        await until(lambda: counter._value.get() > before)
        await watched.looked()
        await bench.host("anna").deliver("fine")
        await watched.has("fine")
        assert "token-refused" in refused.folder()["state"]
        assert "expired or revoked" in refused.folder()["last_error"]
        await bench.host("bert").deliver("late")
        bench.tokens.revoked.clear()
        await refused.has("late")


@pytest.mark.parametrize(("status", "kind"), [(503, Kind.TOKEN_UNAVAILABLE), (429, Kind.TOKEN_THROTTLED)])
async def test_a_token_server_in_trouble(bench: Bench, status: int, kind: Kind) -> None:
    """Outage and throttling of the token server are neither a wrong password nor each other."""
    bench.tokens.status = status
    failure = await failure_of(bench.mailbox("anna"))
    assert (failure.kind, failure.wait) == (kind, 1.0)


async def test_no_token_server(bench: Bench) -> None:
    """A token server that cannot be reached is told by its address."""
    oauth = bench.oauth("anna") | {"token_url": "http://127.0.0.1:1/token"}
    failure = await failure_of(bench.mailbox("anna", oauth=oauth))
    assert failure.kind is Kind.TOKEN_UNAVAILABLE
    assert "127.0.0.1:1" in failure.message


async def test_a_token_of_another_user(bench: Bench) -> None:
    """The server's refusal comes with the words of its continuation, without the token, and at once."""
    failure = await failure_of(bench.mailbox("anna", oauth=bench.oauth("bert")))
    assert failure.kind is Kind.SIGN_IN_REFUSED
    assert "status" in failure.message
    assert "token-1" not in str(failure)


async def test_oauthbearer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only OAUTHBEARER is offered, it is used, and its refusal ends the exchange too."""
    hidden = "AUTH=XOAUTH2"
    monkeypatch.setattr("bridge.intake.imap.open_connection.way_with_token", _without(hidden))
    async with await open_connection(bench.mailbox("anna")) as connection:
        assert (await connection.examine("INBOX")).uidvalidity
    failure = await failure_of(bench.mailbox("anna", oauth=bench.oauth("bert")))
    assert failure.kind is Kind.SIGN_IN_REFUSED


def _without(hidden: str) -> Any:
    from bridge.intake.imap.xoauth2 import way_with_token  # noqa: PLC0415 - the name is replaced above

    return lambda capabilities, user, token: way_with_token(capabilities - {hidden}, user, token)


async def test_rotated_refresh_tokens(bench: Bench, tmp_path: Path) -> None:
    """A rotated refresh token is in the state file, and is what is used after a restart."""
    bench.tokens.rotates = True
    mailbox = bench.mailbox("anna", oauth=bench.refreshing("anna"))
    for _ in range(2):
        ledger = await Ledger.open(tmp_path / "state.db")
        try:
            await _watch_once(mailbox, ledger)
        finally:
            await ledger.close()
    assert [form["refresh_token"] for form in bench.tokens.forms] == ["configured", "refresh-1"]


async def _watch_once(mailbox: Mailbox, ledger: Ledger) -> None:
    intake = MailboxIntake(
        mailbox,
        FakeHandover(),
        times=QUICK,
        hosts=HostGates([mailbox]),
        refresh_tokens=ledger.refresh_tokens,
    )
    task = asyncio.create_task(intake.run())
    try:
        await Watched(intake).looked()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_whole_bridge(bench: Bench, tmp_path: Path) -> None:
    """The running bridge hands its state file in: a mail becomes an event, the rotated token is kept."""
    bench.tokens.rotates = True
    async with whole.simulator() as acd:
        box = whole.mailbox("anna", bench.dovecot.port, password=None, oauth=bench.refreshing("anna"))
        config = whole.config_of(tmp_path, acd, mailboxes=[box])
        async with whole.bridge(config):
            await until(lambda: whole.mails_watched(config))
            await bench.host("anna").deliver("one")
            await until(lambda: len(acd.events) == 1)
        origin = hashlib.sha256(b"configured").hexdigest()
        assert await visiting(config.state.path).refresh_token("anna", origin) == "refresh-1"


async def test_probe(bench: Bench) -> None:
    """`check --online` signs in with a token, and names the key of oauth where there is none."""
    assert await probe(bench.mailbox("anna")) == []
    bench.tokens.revoked.add("anna")
    (problem,) = await probe(bench.mailbox("anna"))
    assert problem.key == "mailbox[support].oauth"
    assert "refresh token" in problem.hint


async def steps_of(mailbox: Mailbox) -> list[Step]:
    return [step async for step in diagnose(mailbox)]


async def test_every_step(bench: Bench) -> None:
    """A mailbox that works passes each step, in order."""
    mailbox = bench.mailbox(
        "anna", port=bench.dovecot.tls_port, security="tls", ca_file=bench.dovecot.ca_file
    )
    steps = await steps_of(mailbox)
    assert [step.problem for step in steps] == [None] * len(steps)
    names = ["name", "tcp", "tls", "capabilities", "token", "sign-in", "folder INBOX", "idle"]
    assert [step.name for step in steps] == names
    assert "TLSv1" in steps[2].what
    assert "AUTH=XOAUTH2" in steps[3].what
    assert "60 minutes" in steps[4].what


@pytest.mark.parametrize(
    ("settings", "name", "key"),
    [
        ({"host": "no-such-host.invalid"}, "name", "host"),
        ({"port": 1}, "tcp", "host"),
        ({"security": "tls"}, "tls", "security"),
        ({"password": "wrong", "oauth": None}, "sign-in", "password"),
        ({"folders": ("INBOX", "Nix")}, "folder Nix", "folders"),
    ],
)
async def test_first_failure(bench: Bench, settings: dict[str, Any], name: str, key: str) -> None:
    """The walk ends at the first step that fails, with the key to look at and what to do."""
    steps = await steps_of(bench.mailbox("anna", **settings))
    assert [step.problem is None for step in steps] == [True] * (len(steps) - 1) + [False]
    problem = steps[-1].problem
    assert problem is not None
    assert steps[-1].name == name
    assert problem.key == f"mailbox[support].{key}"
    assert problem.hint


async def test_a_token_that_is_refused(bench: Bench) -> None:
    """The token is a step of its own: what is wrong with it is told from what the mail server says."""
    bench.tokens.revoked.add("anna")
    assert (await steps_of(bench.mailbox("anna")))[-1].name == "token"
    assert (await steps_of(bench.mailbox("anna", oauth=bench.oauth("bert"))))[-1].name == "sign-in"


async def test_a_password_is_corrected(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrected password is tried at once, not after the pause that follows a refusal."""
    monkeypatch.setattr("bridge.intake.imap.sign_in_gate.LOOK_AGAIN", 0.01)
    file = tmp_path / "password"
    file.write_text("wrong")
    mailbox = bench.host("anna").mailbox(password={"file": file})
    patient = type(QUICK)()
    async with watching(mailbox, times=patient) as watched:
        await until(lambda: "sign-in-refused" in watched.folder()["state"])
        file.write_text("secret")
        await watched.looked()


async def test_goodbye_with_a_pause() -> None:
    """A BYE that asks for a pause is obeyed: it is neither a lost connection nor a wrong password."""
    async with hostile() as server:

        def say_goodbye(_: bytes) -> None:
            server.push(b"* BYE Request is throttled. Suggested Backoff Time: 7000 milliseconds")

        server.override["LOGIN"] = say_goodbye
        failure = await failure_of(MailHost("127.0.0.1", server.port, "u").mailbox())
        assert (failure.kind, failure.wait) == (Kind.BUSY, 7.0)


async def test_not_connected_becomes_a_configuration_error() -> None:
    """Three times it is waited out as the server's trouble; then somebody must act, and it is still tried."""
    kinds = [Kind.NOT_CONNECTED, Kind.NO_ACCESS]
    counters = [metrics.IMAP_FAILURES.labels(mailbox="nc", kind=kind.value) for kind in kinds]
    before = [counter._value.get() for counter in counters]
    async with hostile() as server:
        server.override["EXAMINE"] = lambda _: b"TAG BAD User is authenticated but not connected.\r\n"
        async with watching(MailHost("127.0.0.1", server.port, "u").mailbox(name="nc")) as watched:
            await until(lambda: counters[1]._value.get() > before[1] + 1)
            assert counters[0]._value.get() == before[0] + 3
            assert "Add-MailboxPermission" in watched.folder()["last_error"]


FOLDERS = tuple(f"f{number}" for number in range(6))


async def test_one_folder_asks_for_all() -> None:
    """While a mailbox is put off, its other folders do not sign in either, and it is told once."""
    counter = metrics.IMAP_FAILURES.labels(mailbox="support", kind=Kind.BUSY.value)
    before = counter._value.get()
    async with hostile() as server:
        server.login = b"NO Request is throttled. Suggested Backoff Time: 600000 milliseconds"
        async with watching(MailHost("127.0.0.1", server.port, "u").mailbox(folders=FOLDERS)) as watched:
            await until(
                lambda: all("server-busy" in one["state"] for one in watched.intake.status()["folders"])
            )
            assert server.sign_ins == 1
    assert counter._value.get() == before + 1


async def test_all_folders_go_on_after_the_pause() -> None:
    """Once the pause is over, every folder is watched again, not only the one that asked."""
    async with hostile() as server:
        server.login = b"NO Request is throttled. Suggested Backoff Time: 300 milliseconds"
        async with watching(MailHost("127.0.0.1", server.port, "u").mailbox(folders=FOLDERS)) as watched:
            await until(lambda: server.sign_ins > 0)
            server.login = b"OK done"
            await watched.looked()
