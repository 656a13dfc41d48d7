"""The gate that the connections of a mailbox share, and that of a host."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from bridge.config.mailbox import Mailbox
from bridge.config.secret import Secret
from bridge.intake.imap import sign_in_gate
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.host_gates import AT_ONCE, HOST_CONNECTIONS, HostGate, HostGates
from bridge.intake.imap.keeper import ConnectionKeeper
from bridge.intake.imap.retry import RetryTimes
from bridge.intake.imap.secret_digest import secret_digest
from bridge.intake.imap.sign_in_gate import ABOUT_THE_ACCOUNT, GateClosed, SignInGate
from bridge.testing.handover import FakeHandover


def mailbox(name: str, host: str = "h", **settings: object) -> Mailbox:
    given: dict[str, object] = {"password": "p", **settings}
    return Mailbox.model_validate({"name": name, "host": host, "username": name, **given})


async def refused_by(gate: SignInGate, kind: Kind, wait: float = 0.0, seconds: float = 100.0) -> None:
    """One sign-in that ends like this."""
    failure = MailServerError(kind, "no", wait=wait)
    with pytest.raises(MailServerError):
        async with gate.passing():
            raise failure
    gate.close_for(failure, seconds)


@pytest.mark.parametrize("kind", sorted(ABOUT_THE_ACCOUNT))
async def test_closed_for_all(kind: Kind) -> None:
    """What is about the account keeps its other connections from trying too; they learn how long is left."""
    gate = SignInGate()
    await refused_by(gate, kind, wait=100.0)
    with pytest.raises(GateClosed) as caught:
        async with gate.passing():
            pytest.fail("the gate was open")
    assert caught.value.kind is kind
    assert 90 < caught.value.wait <= 100


async def test_the_gates_own_answer_does_not_prolong_it() -> None:
    """Those who were kept out do not close the gate for themselves."""
    gate = SignInGate()
    await refused_by(gate, Kind.SIGN_IN_REFUSED, seconds=0.0)
    gate.close_for(GateClosed(Kind.SIGN_IN_REFUSED, "no"), 100)
    async with gate.passing():
        pass


async def test_what_was_not_tried_does_not_count() -> None:
    """Whoever was kept out waits for what is left, however often; its own failures begin at the first."""
    keeper = ConnectionKeeper(mailbox("m"), [], SignInGate(), times=RetryTimes())
    closed = GateClosed(Kind.NOT_CONNECTED, "no", wait=100.0)
    for _ in range(9):
        failure, seconds = keeper._judge(closed, 0.0)
        assert failure is closed
        assert 100 <= seconds <= 110
    _, seconds = keeper._judge(MailServerError(Kind.LOST, "x"), 0.0)
    assert seconds <= RetryTimes().outage.first


async def test_a_corrected_secret_opens_the_gate() -> None:
    """With another secret than the refused one, the next sign-in is tried at once."""
    secret = [b"old"]
    gate = SignInGate(lambda: secret[0])
    await refused_by(gate, Kind.SIGN_IN_REFUSED)
    secret[0] = b"new"
    async with gate.passing():
        pass


async def test_a_corrected_secret_is_no_way_around_throttling() -> None:
    """A busy server is left alone, whatever was corrected."""
    secret = [b"old"]
    gate = SignInGate(lambda: secret[0])
    await refused_by(gate, Kind.BUSY)
    secret[0] = b"new"
    with pytest.raises(GateClosed):
        async with gate.passing():
            pytest.fail("the gate was open")


async def test_the_pause_ends_when_the_secret_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits after a refusal looks at the secret again and again, and goes on once it is another one."""
    monkeypatch.setattr(sign_in_gate, "LOOK_AGAIN", 0.001)
    secret = [b"old"]
    gate = SignInGate(lambda: secret[0])
    await refused_by(gate, Kind.SIGN_IN_REFUSED)
    waiting = asyncio.create_task(gate.pause(Kind.SIGN_IN_REFUSED, 3600))
    await asyncio.sleep(0)
    assert not waiting.done()
    secret[0] = b"new"
    await asyncio.wait_for(waiting, 5)


async def test_other_pauses_last() -> None:
    """A pause that no secret can end takes its time."""
    began = time.monotonic()
    await SignInGate(lambda: str(time.monotonic()).encode()).pause(Kind.LOST, 0.05)
    assert time.monotonic() - began >= 0.05


def test_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another value, and a secret that appears, make another digest; the same ones the same."""
    box = mailbox("m", password={"env": "ACD_BRIDGE_TEST_PASSWORD"})
    monkeypatch.delenv("ACD_BRIDGE_TEST_PASSWORD", raising=False)
    missing = secret_digest(box)
    monkeypatch.setenv("ACD_BRIDGE_TEST_PASSWORD", "one")
    one = secret_digest(box)
    monkeypatch.setenv("ACD_BRIDGE_TEST_PASSWORD", "two")
    assert len({missing, one, secret_digest(box)}) == 3
    monkeypatch.setenv("ACD_BRIDGE_TEST_PASSWORD", "one")
    assert secret_digest(box) == one


def test_digests_of_oauth() -> None:
    """Every secret of `oauth` counts."""
    keys = {"provider": "google", "client_id": "i"}
    boxes = [
        mailbox("m", password=None, oauth=keys | {"client_secret": a, "refresh_token": b})
        for a, b in (("x", "y"), ("x", "z"), ("w", "y"))
    ]
    assert len({secret_digest(box) for box in boxes}) == 3


async def test_few_at_once() -> None:
    """A host sees a few openings at a time, over all its mailboxes."""
    gate = HostGate(at_once=2, apart=0.0)
    inside, most = 0, 0

    async def connect() -> None:
        nonlocal inside, most
        async with gate.opening():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(connect() for _ in range(10)))
    assert most == 2


async def test_starts_are_staggered() -> None:
    """Connections to a host begin one after the other."""
    gate = HostGate(at_once=10, apart=0.02)
    begun: list[float] = []

    async def connect() -> None:
        async with gate.opening():
            begun.append(time.monotonic())

    await asyncio.gather(*(connect() for _ in range(4)))
    assert begun[-1] - begun[0] >= 0.05


def test_shares_of_a_host() -> None:
    """The host's connections are shared out; each mailbox has one at least, and hosts do not matter to each other."""
    many = [mailbox(f"m{number}", "H") for number in range(16)]
    gates = HostGates([*many, mailbox("alone", "other")])
    assert gates.share(many[0]) == HOST_CONNECTIONS // 16
    assert gates.share(mailbox("alone", "other")) == HOST_CONNECTIONS
    assert HostGates([mailbox(f"m{number}") for number in range(1000)]).share(mailbox("m0")) == 1
    assert gates.gate(many[0]) is gates.gate(mailbox("x", "h"))
    assert gates.gate(many[0]) is not gates.gate(mailbox("x", "h", port=143))
    assert AT_ONCE < HOST_CONNECTIONS
    assert Secret.model_validate("p") == many[0].password


@pytest.mark.parametrize(
    ("folders", "named"), [(["INBOX"], {"folder": "INBOX"}), (["INBOX", "Invoices"], {})]
)
def test_a_warning_names_the_folder_of_its_connection(folders: list[str], named: dict[str, str]) -> None:
    """Where a connection serves one folder its failures say which; where it serves several they are of none."""
    box = mailbox("m", folders=folders)
    with capture_logs() as lines:
        watches = [FolderWatch(box, folder, FakeHandover()) for folder in folders]
        keeper = ConnectionKeeper(box, watches, SignInGate(), times=RetryTimes())
        keeper._tell(MailServerError(Kind.LOST, "x"), 1.0)
    (line,) = lines
    assert line["event"] == "connection-lost"
    assert {key: line[key] for key in line if key == "folder"} == named
