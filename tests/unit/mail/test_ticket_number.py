"""Ticket numbers."""

import time

import pytest

from bridge.intake.mail.ticket_number import ticket_number_of


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: [Ticket#2026112310000042] Invoice", "2026112310000042"),
        ("[Ticket#: 2026112310000042] Invoice", "2026112310000042"),
        ("[#123] x", "123"),
        ("AW: [GLPI #0000123] x", "0000123"),
        ("[rt.example.org #123] x", "123"),
        ("[Ticket #123]", "123"),
        ("[Project - Bug #7] (New) x", "7"),
        ("Re: [12345#1][bogus#1][Feature request #2] x", "2"),
        ("(ABC-123) x", "ABC-123"),
        ("[ABC-123] x", "ABC-123"),
        ("Ticket-ID: 123", "123"),
        ("Your ticket #123 was opened", "123"),
        ("Case number: 00123", "00123"),
        ("Vorgang Nr. 55", ""),
        ("Vorgang Nr.: 55", "55"),
        ("Invoice 4711", ""),
        ("Order #4711", ""),
        ("[4711] x", ""),
        ("2 tickets for 23-11", ""),
        ("[abc-123] x", ""),
        ("ABC-123", ""),
        ("[#]", ""),
        ("", ""),
    ],
)
def test_subjects(subject: str, expected: str) -> None:
    """The usual forms are found; a bare number is none."""
    assert ticket_number_of({}, subject) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-otrs-ticketnumber": "2026112310000042"}, "2026112310000042"),
        ({"x-redmine-issue-id": " 7 "}, "7"),
        ({"rt-ticket": "rt.example.org #123"}, "123"),
        ({"rt-ticket": "<script>"}, "9"),
    ],
)
def test_a_field_of_its_own_comes_first(headers: dict[str, str], expected: str) -> None:
    """A helpdesk's field wins over the subject, unless it holds no number."""
    assert ticket_number_of(headers, "[#9]") == expected


@pytest.mark.parametrize("piece", ["[", "[a ", "[#", "ticket ", "ticket-id ", "(A", "ticket: ", "[A-"])
def test_hostile_subjects_take_linear_time(piece: str) -> None:
    """A subject of the largest size is searched within 50 ms."""
    begin = time.process_time()
    ticket_number_of({}, (piece * 998)[:998])
    assert time.process_time() - begin < 0.05
