"""Whether the mail at a UID is still the delivered one."""

from datetime import UTC, datetime

import pytest

from bridge.intake.imap.fetch_response import Fetched
from bridge.intake.imap.same_mail import MAX_FIELDS, Told, is_same, told_by
from bridge.ledger.mail_actions import MailAction

CAME = datetime(2026, 7, 17, 2, 44, 25, tzinfo=UTC)
AT = 1_784_256_265_000
SECTION = b"HEADER.FIELDS (MESSAGE-ID)"


def action(message_id: str, received_at: int) -> MailAction:
    return MailAction(
        item_id=1, places=("INBOX/7/1",), message_id=message_id, received_at=received_at, tries=0, begun=False
    )


@pytest.mark.parametrize(
    ("delivered", "told", "same"),
    [
        (("a@b", AT), ("a@b", AT), True),
        (("a@b", AT), ("c@d", AT), False),
        (("a@b", AT), ("", AT), False),
        (("a@b", AT), ("a@b", AT + 1000), False),
        # Without a Message-ID that can be compared, the time decides.
        (("", AT), ("", AT), True),
        (("", AT), ("", AT + 1000), False),
        (("ä@b", AT), ("?@b", AT), True),
        # Without a time the Message-ID decides; without both nobody knows.
        (("a@b", 0), ("a@b", AT), True),
        (("a@b", 0), ("c@d", AT), False),
        (("", 0), ("", AT), False),
    ],
)
def test_what_makes_a_mail_the_same(delivered: tuple[str, int], told: tuple[str, int], *, same: bool) -> None:
    """Time of arrival and Message-ID, as far as they were known; where neither was, it is not taken for the same."""
    message_id, received_at = told
    assert is_same(action(*delivered), Told(500, received_at, message_id)) is same


@pytest.mark.parametrize(
    ("name", "field", "message_id"),
    [
        (SECTION, b"Message-ID: <a@b>\r\n\r\n", "a@b"),
        (b'HEADER.FIELDS ("MESSAGE-ID")', b"message-id:\r\n <a@b>\r\n\r\n", "a@b"),
        (SECTION, b"Message-ID:\r\nMessage-ID: <a@b>\r\n\r\n", "a@b"),
        (SECTION, b"\r\n", ""),
        (SECTION, b"", ""),
        (SECTION, b"Message-ID: <" + b"a" * 2 * MAX_FIELDS, "a" * 998),
        (b"HEADER", b"Message-ID: <a@b>\r\n\r\n", None),
    ],
)
def test_the_message_id_is_read_as_at_the_intake(name: bytes, field: bytes, message_id: str | None) -> None:
    """However the server writes the name of the section; what else it tells does not count."""
    assert told_by(Fetched(1, 500, CAME, None, {name: field})) == Told(500, AT, message_id)


def test_items_in_several_responses() -> None:
    """What was told first stays; enough is told with time and Message-ID."""
    first = told_by(Fetched(1, sections={SECTION: b"Message-ID: <a@b>\r\n\r\n"}))
    assert not first.is_enough
    assert not told_by(Fetched(1, 500, CAME)).is_enough
    both = first.and_(told_by(Fetched(1, 500, CAME, None, {SECTION: b"Message-ID: <c@d>\r\n\r\n"})))
    assert both == Told(500, AT, "a@b")
    assert both.is_enough
