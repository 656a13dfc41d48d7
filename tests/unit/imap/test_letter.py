"""What copies of a letter share, and what two letters never do."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.intake.imap.letter import Scope, letter_of
from bridge.intake.mail.read import read_mail
from bridge.message import Message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WRITTEN = "From: Anna <anna@example.org>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nSubject: Help\r\n"
ID = "Message-ID: <1@example.org>\r\n"


def message(header: str, source: str = "support", folder: str = "INBOX") -> Message:
    return read_mail(
        (header + "\r\n").encode(),
        source=source,
        folder=folder,
        uidvalidity=1,
        uid=1,
        size=1,
        internaldate=NOON,
    )


def test_each_folder_has_its_own_event_unless_asked() -> None:
    """With the default nothing is shared, whatever the mail is."""
    assert letter_of(message(WRITTEN + ID), "folder", 7) == ""


@pytest.mark.parametrize("scope", ["mailbox", "everywhere"])
def test_the_way_of_a_copy_does_not_matter(scope: Scope) -> None:
    """Copies that came on different ways, at different times, into different folders are one letter."""
    one = message("Received: from a\r\nDelivered-To: x@e.org\r\n" + WRITTEN + ID)
    other = replace(message("Received: from b\r\nList-Id: <l>\r\n" + WRITTEN + ID, folder="Junk"))
    assert letter_of(one, scope) == letter_of(other, scope) != ""


@pytest.mark.parametrize(
    "changed",
    [
        WRITTEN.replace("12:00:00", "12:00:01") + ID,
        WRITTEN.replace("Help", "Help!") + ID,
        WRITTEN.replace("anna@", "bert@") + ID,
        WRITTEN + ID.replace("1@", "2@"),
    ],
)
def test_the_same_message_id_is_not_enough(changed: str) -> None:
    """Machines reuse a Message-ID: another date, sender or subject is another letter."""
    assert letter_of(message(changed), "mailbox") != letter_of(message(WRITTEN + ID), "mailbox")


def test_scopes_do_not_mix() -> None:
    """Within one mailbox another mailbox is another letter, everywhere it is the same one."""
    sales, support = message(WRITTEN + ID, "sales"), message(WRITTEN + ID)
    assert letter_of(sales, "mailbox") != letter_of(support, "mailbox")
    assert letter_of(sales, "everywhere") == letter_of(support, "everywhere")
    assert letter_of(support, "everywhere") != letter_of(support, "mailbox")


def test_without_a_message_id_there_are_no_copies() -> None:
    """Two reports of one second look the same and are two messages, unless the provider says otherwise."""
    assert letter_of(message(WRITTEN), "mailbox") == letter_of(message(WRITTEN), "everywhere") == ""
    assert (
        letter_of(message(WRITTEN), "mailbox", 7)
        == letter_of(message(WRITTEN, folder="All"), "mailbox", 7)
        != ""
    )


def test_the_providers_id_goes_first() -> None:
    """What Gmail calls one message is one, and what it tells apart is two; other mailboxes' numbers mean nothing."""
    one = message(WRITTEN + ID)
    assert letter_of(one, "mailbox", 7) != letter_of(one, "mailbox", 8)
    assert letter_of(one, "mailbox", 7) != letter_of(message(WRITTEN + ID, "sales"), "mailbox", 7)
    assert letter_of(one, "everywhere", 7) == letter_of(one, "everywhere", 8)
