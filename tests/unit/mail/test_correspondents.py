"""Who sent a mail, and to whom."""

import pytest

from bridge.intake.mail.address import MAX_ADDRESSES
from bridge.intake.mail.correspondents import recipient_of, recipients_of, sender_of
from bridge.intake.mail.repairs import Repairs


@pytest.mark.parametrize(
    ("fields", "address", "notes"),
    [
        ({"from": ["Anna <a@b.c>"], "sender": ["x@y.z"]}, "a@b.c", []),
        ({"from": ["nobody"], "sender": ["x@y.z"]}, "x@y.z", ["the sender was taken from Sender"]),
        (
            {"reply-to": ["x@y.z"], "return-path": ["<r@s.t>"]},
            "x@y.z",
            ["the sender was taken from Reply-To"],
        ),
        ({"from": ["<>"], "return-path": ["<r@s.t>"]}, "r@s.t", ["the sender was taken from Return-Path"]),
        ({"from": ["nobody", "a@b.c"]}, "a@b.c", ["there was more than one From field"]),
        ({"from": ["MAILER-DAEMON"], "return-path": ["<>"]}, "", ["no sender could be found"]),
        ({}, "", ["no sender could be found"]),
    ],
)
def test_the_sender(fields: dict[str, list[str]], address: str, notes: list[str]) -> None:
    """From, else Sender, else Reply-To, else Return-Path; a note says where it was not From."""
    repairs = Repairs()
    assert sender_of(fields, repairs).address == address
    assert repairs.notes == notes


def test_recipients_are_those_of_to_and_cc_once_each() -> None:
    """Doubles go, by address without regard to case; the order stays."""
    fields = {"to": ["a@b.c, d@e.f"], "cc": ["A@B.C, g@h.i"]}
    assert recipients_of(fields, Repairs()) == ("a@b.c", "d@e.f", "g@h.i")


def test_too_many_recipients_are_noted() -> None:
    """The bound holds over To and Cc together."""
    repairs = Repairs()
    fields = {"to": [",".join(f"u{n}@b.c" for n in range(MAX_ADDRESSES))], "cc": ["one-more@b.c"]}
    assert len(recipients_of(fields, repairs)) == MAX_ADDRESSES
    assert repairs.degraded


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"delivered-to": ["box@b.c"], "x-original-to": ["ours@b.c"]}, "ours@b.c"),
        ({"delivered-to": ["ours@b.c", "partner@y.z"], "x-original-to": ["partner@y.z"]}, "ours@b.c"),
        ({"delivered-to": ["last-hop@b.c", "first-hop@b.c"]}, "last-hop@b.c"),
        ({"x-original-to": ["<ours@b.c>"]}, "ours@b.c"),
        ({"envelope-to": ["ours@b.c"]}, "ours@b.c"),
        ({"delivered-to": ["nobody"], "x-envelope-to": ["ours@b.c"]}, "ours@b.c"),
        ({}, "first@b.c"),
    ],
)
def test_the_recipient(fields: dict[str, list[str]], expected: str) -> None:
    """What the mail server says it delivered to, else the first recipient."""
    assert recipient_of(fields, ("first@b.c", "second@b.c")) == expected


def test_no_recipient_at_all() -> None:
    """A mail to nobody has no recipient."""
    assert recipient_of({}, ()) == ""


@pytest.mark.parametrize(
    ("fields", "recipients", "expected"),
    [
        ({}, ("foreign@y.z", "Billing@b.c"), "Billing@b.c"),
        ({}, ("foreign@y.z",), "foreign@y.z"),
        ({}, (), ""),
        ({"delivered-to": ["box@b.c", "billing@b.c"]}, ("support@b.c",), "billing@b.c"),
        ({"delivered-to": ["box@b.c"]}, ("foreign@y.z", "support@b.c"), "support@b.c"),
        ({"delivered-to": ["box@b.c"]}, ("foreign@y.z",), "box@b.c"),
        ({"envelope-to": ["foreign@y.z, billing@b.c"]}, (), "billing@b.c"),
        ({}, ("foreign@y.z", "support+x@b.c"), "support+x@b.c"),
        ({"delivered-to": ["support@b.c"]}, ("Support+x@b.c",), "Support+x@b.c"),
        ({"delivered-to": ["support+y@b.c"]}, ("support+x@b.c",), "support+y@b.c"),
    ],
)
def test_the_recipient_among_our_addresses(
    fields: dict[str, list[str]], recipients: tuple[str, ...], expected: str
) -> None:
    """One of ours is preferred, wherever it stands; a plus-address is ours, and is kept as it was written."""
    assert recipient_of(fields, recipients, frozenset({"support@b.c", "billing@b.c"})) == expected


def test_a_plus_address_without_configured_addresses() -> None:
    """Where delivery cut the tag off, the address is given as the sender wrote it."""
    assert recipient_of({"delivered-to": ["support@b.c"]}, ("a+t@b.c", "support+t@b.c")) == "support+t@b.c"
