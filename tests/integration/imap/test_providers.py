"""The real connection code in the dialogues of well-known servers; see `providers`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bridge.config.mailbox import AfterDelivery, Mailbox
from bridge.intake.imap.after_delivery_folder import carry_out
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.open_connection import open_connection
from bridge.ledger.mail_actions import ActionOutcome, MailAction
from tests.integration.imap.conftest import watching
from tests.integration.imap.hostile import HostileServer, hostile
from tests.integration.imap.providers import (
    ALL,
    CYRUS,
    DOVECOT,
    GMAIL,
    ICLOUD,
    MICROSOFT,
    NETEASE,
    Provider,
    fetched,
    play,
)
from tests.token_server import token_server
from tests.wait import until

PLAIN = {
    "CAPABILITY", "LOGIN", "AUTHENTICATE", "ID", "EXAMINE", "STATUS", "UID FETCH", "UID SEARCH", "IDLE", "DONE",
    "LOGOUT",
}  # fmt: skip
"""The commands that watch a folder."""
CHANGING = {"MOVE", "COPY", "STORE", "EXPUNGE"}


@asynccontextmanager
async def account(provider: Provider, **settings: Any) -> AsyncIterator[tuple[HostileServer, Mailbox]]:
    """An account there with one mail. Microsoft wants a token, which another server gives."""
    async with hostile(uids=[1], uidnext=2) as server, token_server() as tokens:
        play(provider, server)
        given = {
            "name": "m",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "username": "anna",
        }
        oauth = {"provider": "microsoft365", "tenant": "t", "client_id": "i", "client_secret": "s"}
        way = {"oauth": {**oauth, "token_url": tokens.url}} if provider is MICROSOFT else {"password": "p"}
        more = {"start": "all", "poll": 1, "timeout": 5, **settings}
        yield server, Mailbox.model_validate({**given, **way, **more})


def names(server: HostileServer) -> set[str]:
    """The commands that came, without arguments."""
    words = [one.split(" ") for one in server.commands]
    return {" ".join(one[:2] if one[0] == "UID" else one[:1]) for one in words}


@pytest.mark.parametrize("provider", ALL, ids=lambda one: one.name)
async def test_mail_comes(provider: Provider) -> None:
    """What is there and what comes is taken, with size and time, by push where there is IDLE and else by the poll."""
    async with account(provider) as (server, mailbox), watching(mailbox) as watched:
        await watched.has("mail-1")
        await watched.looked()
        if provider.offers("IDLE"):
            await until(lambda: server.commands[-1] == "IDLE")
        server.arrive(2)
        if provider.offers("IDLE"):
            server.push(b"* 2 EXISTS")
        await watched.has("mail-1", "mail-2")
        assert server.sign_ins == 1
        first = watched.handover.messages[0]
        assert (first.received_at.month, first.received_at.hour) == (7, 2)
        assert first.size in {500, 501}
        assert not first.degraded


@pytest.mark.parametrize("provider", ALL, ids=lambda one: one.name)
async def test_no_server_is_asked_for_more_than_it_needs(provider: Provider) -> None:
    """Extensions that bring nothing here are not turned on, whoever offers them: ENABLE, CONDSTORE (RFC 7162: it is
    about flags, which are no input) and COMPRESS (RFC 4978).
    """
    async with account(provider) as (server, mailbox), watching(mailbox) as watched:
        await watched.has("mail-1")
        await watched.looked()
    assert names(server) <= PLAIN
    assert not [one for one in server.commands if "CONDSTORE" in one or "MODSEQ" in one or "CHARSET" in one]
    assert ("ID" in names(server)) is provider.offers("ID")


async def begin(_: Sequence[int]) -> None:
    """Nothing is written down."""


@pytest.mark.parametrize("provider", ALL, ids=lambda one: one.name)
async def test_a_mail_is_moved_after_delivery(provider: Provider) -> None:
    """By MOVE where it is offered, else by COPY and the expunging of this one mail; the flag is set first."""
    wanted = AfterDelivery(action="move", folder="Done")
    async with account(provider) as (server, mailbox), await open_connection(mailbox) as connection:
        one = MailAction(
            item_id=1, places=("INBOX/7/1",), message_id="1@example.org", received_at=provider.came, tries=0,
            begun=False,
        )  # fmt: skip
        results = await carry_out(connection, wanted, "INBOX", [one], begin)
    assert [ended.outcome for ended in results.ended] == [ActionOutcome.DONE]
    assert server.uids == []
    changing = [one for one in server.commands if CHANGING & set(one.split()[1:2])]
    without_move = ['UID COPY 1 "Done"', "UID STORE 1 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 1"]
    assert changing == (['UID MOVE 1 "Done"'] if provider.offers("MOVE") else without_move)


@pytest.mark.parametrize(
    ("provider", "words", "kind"),
    [
        (MICROSOFT, b"NO AUTHENTICATE failed.", Kind.SIGN_IN_REFUSED),
        (MICROSOFT, b"BAD User is authenticated but not connected.", Kind.NOT_CONNECTED),
        (MICROSOFT, b"NO Server Unavailable. 15", Kind.BUSY),
        (MICROSOFT, b"BAD Request is throttled. Suggested Backoff Time: 299910 milliseconds", Kind.BUSY),
        (GMAIL, b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", Kind.SIGN_IN_REFUSED),
        (GMAIL, b"NO [ALERT] Application-specific password required (Failure)", Kind.SIGN_IN_REFUSED),
        (GMAIL, b"NO [ALERT] Too many simultaneous connections. (Failure)", Kind.BUSY),
        (GMAIL, b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", Kind.BUSY),
        (GMAIL, b"NO [THROTTLED] Account is throttled (Failure)", Kind.BUSY),
        (DOVECOT, b"NO [AUTHENTICATIONFAILED] Authentication failed.", Kind.SIGN_IN_REFUSED),
        (DOVECOT, b"NO [UNAVAILABLE] Temporary authentication failure.", Kind.BUSY),
        (DOVECOT, b"NO [LIMIT] Maximum number of connections from user+IP exceeded", Kind.BUSY),
        (CYRUS, b"NO Login failed: authentication failure", Kind.SIGN_IN_REFUSED),
        (ICLOUD, b"NO [AUTHENTICATIONFAILED] Authentication failed", Kind.SIGN_IN_REFUSED),
        (NETEASE, b"NO LOGIN Login error or password error", Kind.SIGN_IN_REFUSED),
    ],
)
async def test_a_refused_sign_in_is_told_from_a_busy_server(
    provider: Provider, words: bytes, kind: Kind
) -> None:
    """The words of each server at sign-in have their meaning; what only asks to wait is no wrong password."""
    async with account(provider) as (server, mailbox):
        server.override["LOGIN"] = server.override["AUTHENTICATE"] = lambda _: b"TAG " + words + b"\r\n"
        with pytest.raises(MailServerError) as caught:
            await open_connection(mailbox)
    assert caught.value.kind is kind


async def test_a_server_that_wants_to_know_who_comes() -> None:
    """Without the bridge's ID 163.com would refuse the folder; the script of this test would show it."""
    async with account(NETEASE) as (server, mailbox):
        server.override["ID"] = lambda _: b"TAG OK nobody was told\r\n"
        async with watching(mailbox) as watched:
            await until(lambda: "Unsafe Login" in watched.folder()["last_error"])
        play(NETEASE, server)
        async with watching(mailbox) as watched:
            await watched.has("mail-1")


@pytest.mark.parametrize("scope", ["folder", "mailbox"])
async def test_gmail_tells_what_is_one_mail(scope: str) -> None:
    """INBOX and the folder of all mail show one mail: one letter where asked for, also without Message-ID."""
    header = b"Subject: mail-1\r\nFrom: a@example.org\r\n\r\n"
    async with account(GMAIL, folders=["INBOX", "[Gmail]/All Mail"], one_event_for=scope) as (
        server,
        mailbox,
    ):
        server.fetched = lambda uid: fetched(GMAIL, uid, header)
        async with watching(mailbox) as watched:
            await until(lambda: len(watched.handover.messages) == 2)
        asked = [one for one in server.commands if "X-GM-MSGID" in one]
    letters = {message.letter for message in watched.handover.messages}
    assert len(letters) == 1
    assert (letters != {""}) is bool(asked) is (scope == "mailbox")
