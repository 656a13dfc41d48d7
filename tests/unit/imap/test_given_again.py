"""What proves that UIDs mean other mails than before."""

from typing import cast

import pytest

from bridge.cursor import FolderCursor
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.given_again import Others, given_again, others
from bridge.testing.handover import FakeHandover
from tests.unit.imap.model_folder import ModelConnection, ModelFolder


@pytest.mark.parametrize(
    ("known", "told", "found"),
    [
        ({1: "a@b", 2: "c@d"}, {1: "a@b", 2: "c@d"}, set()),
        ({1: "a@b", 2: "c@d"}, {1: "a@b", 2: "x@y"}, {(2, "x@y")}),
        ({1: "a@b"}, {}, set()),
        ({1: "a@b"}, {1: ""}, set()),
        ({1: "ä@b"}, {1: "?@b"}, set()),
        ({1: "a@b"}, {1: "ä@b"}, set()),
        ({1: "a@b"}, {2: "x@y"}, set()),
        ({}, {}, set()),
    ],
)
def test_only_another_message_id_proves_it(
    known: dict[int, str], told: dict[int, str], found: Others
) -> None:
    """A mail that is gone, one without a Message-ID, and one whose Message-ID may be read in two ways prove nothing."""
    assert others(known, told) == found


async def test_a_folder_of_which_nothing_is_known_costs_no_command() -> None:
    """Nothing is asked where there is nothing to compare with."""

    class Silent(ModelConnection):
        async def fetch(self, *_: object) -> None:
            raise AssertionError("nothing is to be asked")

    cursor = FolderCursor(source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=9)
    connection = cast("Connection", Silent(ModelFolder()))
    assert await given_again(connection, FakeHandover(), cursor) == frozenset()
