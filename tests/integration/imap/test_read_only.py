"""Folders that the account may read and not change, by the rights of a real server (RFC 4314)."""

import imaplib
from collections.abc import Iterator, Sequence

import pytest

from bridge.config.mailbox import AfterDelivery
from bridge.intake.imap.after_delivery import NOT_REMOVED
from bridge.intake.imap.after_delivery_folder import Results, carry_out
from bridge.intake.imap.open_connection import open_connection
from bridge.ledger.mail_actions import ActionOutcome, MailAction
from tests.dovecot import Dovecot, running
from tests.integration.imap.conftest import MailHost, mail, watching
from tests.wait import until

pytestmark = pytest.mark.dovecot

MOVE = AfterDelivery(action="move", folder="Done")
DELETE = AfterDelivery(action="delete")
KEYWORD = AfterDelivery(action="keyword", keyword="ACD")
SEEN = AfterDelivery(action="seen")
READ, FLAG, MARK_DELETED = "lr", "lrs", "lrwt"
"""See and read; and set `\\Seen`; and set other flags and `\\Deleted`, but not expunge."""


@pytest.fixture(scope="module")
def rights_dovecot() -> Iterator[Dovecot]:
    with running(acl=True) as server:
        yield server


@pytest.fixture
def host(rights_dovecot: Dovecot, user: str) -> MailHost:
    for folder in ("Team", "Done"):
        rights_dovecot.make_folder(user, folder)
    return MailHost(rights_dovecot.host, rights_dovecot.port, user)


async def subjects(host: MailHost, folder: str) -> list[str]:
    """What a mail program sees in a folder."""

    def work(client: imaplib.IMAP4) -> list[str]:
        _, (number,) = client.select(folder, readonly=True)
        if number == b"0":
            return []
        _, told = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return sorted(one[1].decode().split()[1] for one in told if isinstance(one, tuple))

    return list(await host._as_client(work))


async def begin(_: Sequence[int]) -> None:
    """Nothing is written down."""


async def results_of(host: MailHost, wanted: AfterDelivery, *without: str) -> Results:
    """Do it with the first mail of Team; the server is taken as one without these capabilities."""
    async with await open_connection(host.mailbox()) as connection:
        connection._protocol.capabilities -= set(without)
        uidvalidity = (await connection.examine("Team")).uidvalidity
        one = MailAction(
            item_id=1, places=(f"Team/{uidvalidity}/1",), message_id="a@example.org",
            received_at=(await host.came("Team"))[1], tries=0, begun=False,
        )  # fmt: skip
        return await carry_out(connection, wanted, "Team", [one], begin)


async def refusal(host: MailHost, wanted: AfterDelivery, *without: str) -> str:
    """The words with which the same is refused."""
    results = await results_of(host, wanted, *without)
    assert not results.ended
    return results.refused[1]


@pytest.mark.parametrize("wanted", [MOVE, DELETE, KEYWORD, SEEN])
async def test_a_folder_that_can_only_be_read_is_watched(
    rights_dovecot: Dovecot, host: MailHost, wanted: AfterDelivery
) -> None:
    """Its mail is taken in as every other, at once, whatever is to be done with it afterwards."""
    rights_dovecot.allow(host.user, "Team", READ)
    async with watching(host.mailbox(folders=("INBOX", "Team"), after_delivery=wanted)) as watched:
        await watched.looked()
        rights_dovecot.drop(host.user, mail("a"), "Team")
        await watched.has("a", folder="Team")
        assert watched.folder("Team")["connected"]


@pytest.mark.parametrize("without", [(), ("MOVE",), ("MOVE", "UIDPLUS")], ids=["move", "copy", "old"])
@pytest.mark.parametrize("wanted", [MOVE, DELETE, KEYWORD, SEEN])
async def test_nothing_is_done_where_nothing_may_be_done(
    rights_dovecot: Dovecot, host: MailHost, wanted: AfterDelivery, without: tuple[str, ...]
) -> None:
    """Dovecot says OK to a STORE that it does not carry out: so nothing is sent, and the refusal says what to do."""
    rights_dovecot.drop(host.user, mail("a"), "Team")
    rights_dovecot.allow(host.user, "Team", READ)
    words = await refusal(host, wanted, *without)
    assert "can only be read" in words
    assert 'after_delivery = { action = "none" }' in words
    assert (await subjects(host, "Team"), await subjects(host, "Done")) == (["a"], [])
    assert b"Seen" not in await host.flags("Team")


@pytest.mark.parametrize(
    ("wanted", "without", "words"),
    [
        (MOVE, (), "NOPERM"),
        (MOVE, ("MOVE",), "does not keep the flag \\Deleted"),
        (DELETE, (), "does not keep the flag \\Deleted"),
        (KEYWORD, (), "does not keep the flag ACD"),
    ],
)
async def test_rights_to_some_of_it_are_not_enough(
    rights_dovecot: Dovecot, host: MailHost, wanted: AfterDelivery, without: tuple[str, ...], words: str
) -> None:
    """Where a mail may only be marked as read, nothing else is begun: no copy is left in the target."""
    rights_dovecot.drop(host.user, mail("a"), "Team")
    rights_dovecot.allow(host.user, "Team", FLAG)
    assert words in await refusal(host, wanted, *without)
    assert (await subjects(host, "Team"), await subjects(host, "Done")) == (["a"], [])


@pytest.mark.parametrize("wanted", [MOVE, DELETE])
async def test_a_mail_that_stays_is_told(
    rights_dovecot: Dovecot, host: MailHost, wanted: AfterDelivery
) -> None:
    """Where a mail may be marked as deleted and not removed, Dovecot says OK to EXPUNGE; what is told is the truth."""
    rights_dovecot.drop(host.user, mail("a"), "Team")
    rights_dovecot.allow(host.user, "Team", MARK_DELETED)
    (ended,) = (await results_of(host, wanted, "MOVE")).ended
    assert (ended.outcome, ended.detail) == (ActionOutcome.DELETED_FLAG, NOT_REMOVED)
    assert await subjects(host, "Team") == ["a"]
    assert await subjects(host, "Done") == (["a"] if wanted is MOVE else [])


async def test_rights_that_are_taken_and_given_back(rights_dovecot: Dovecot, host: MailHost) -> None:
    """A folder that may not be opened any more is an error that says so; given back, nothing is missed."""
    async with watching(host.mailbox(folders=("Team",), poll=1)) as watched:
        await watched.looked()
        anew(rights_dovecot, host, "l")
        await until(lambda: "folder-missing" in watched.folder("Team")["state"], within=15)
        assert "account's rights" in watched.folder("Team")["last_error"]
        rights_dovecot.drop(host.user, mail("a"), "Team")
        anew(rights_dovecot, host, READ)
        await watched.has("a", folder="Team", within=15)


def anew(server: Dovecot, host: MailHost, rights: str) -> None:
    """Sessions keep the rights that they know, so they are ended."""
    server.stop()
    server.allow(host.user, "Team", rights)
    server.start()
