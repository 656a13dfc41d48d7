"""Message-IDs."""

import pytest

from bridge.intake.mail.identification import MAX_REFERENCES, message_id_of, read_ids, references_of
from bridge.intake.mail.repairs import Repairs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a@b>", ["a@b"]),
        (" <a@b>\n <c@d> ", ["a@b", "c@d"]),
        ("<a@b><c@d>", ["a@b", "c@d"]),
        ("<a b@c>", ["ab@c"]),
        ("<a\nb@c>", ["ab@c"]),
        ("a@b", ["a@b"]),
        ("a@b, c@d", ["a@b", "c@d"]),
        ("<a@b", ["a@b"]),
        ("<[x]@y>", ["[x]@y"]),
        ("Your mail of Monday <a@b>", ["a@b"]),
        ("12345", ["12345"]),
        ("<\x00\x01>", []),
        ("<>", []),
        ("", []),
    ],
)
def test_identifiers(value: str, expected: list[str]) -> None:
    """Identifiers come without brackets and white space, however they were written."""
    assert read_ids(value) == expected


def test_the_message_id_is_the_first_usable_one() -> None:
    """An empty Message-ID field does not hide a second one."""
    assert message_id_of({"message-id": ["<>", "<a@b>"]}) == "a@b"
    assert message_id_of({}) == ""


def test_references_oldest_first_without_doubles() -> None:
    """RFC 5322 section 3.6.4: References, then In-Reply-To where it adds one."""
    fields = {"in-reply-to": ["<c@d>"], "references": ["<a@b> <c@d>"]}
    assert references_of(fields, Repairs()) == ("a@b", "c@d")


def test_too_many_references_keep_the_first_and_the_newest() -> None:
    """The first names the conversation, the last ones are the nearest."""
    repairs = Repairs()
    found = references_of({"references": [" ".join(f"<{number}@b>" for number in range(500))]}, repairs)
    assert len(found) == MAX_REFERENCES
    assert (found[0], found[-1]) == ("0@b", "499@b")
    assert repairs.notes
