"""Ticket numbers."""

import re
import time
from collections.abc import Mapping

import pytest

from bridge.config.mail import TICKET_PRESETS, Mail
from bridge.intake.mail.ticket_number import (
    MAX_CANDIDATES,
    PRESETS,
    OwnPattern,
    TicketForms,
    ticket_candidates,
)
from bridge.mail_rules import compile_mail_rules


def number_of(headers: Mapping[str, str], subject: str) -> str:
    return next((one.number for one in ticket_candidates(headers, (), subject)), "")


def found(
    subject: str = "", *references: str, forms: TicketForms, **headers: str
) -> list[tuple[str, str, str]]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return list(ticket_candidates(fields, references, subject, forms))


def only(*presets: str) -> TicketForms:
    return TicketForms(presets=frozenset(presets))


def own(*patterns: str, presets: tuple[str, ...] = ()) -> TicketForms:
    rules, problems = compile_mail_rules(Mail(ticket_patterns=patterns, ticket_presets=presets))
    assert problems == []
    return rules.tickets


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
    assert number_of({}, subject) == expected


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
    assert number_of(headers, "[#9]") == expected


@pytest.mark.parametrize("piece", ["[", "[a ", "[#", "ticket ", "ticket-id ", "(A", "ticket: ", "[A-"])
def test_hostile_subjects_take_linear_time(piece: str) -> None:
    """A subject of the largest size is searched within 50 ms."""
    begin = time.process_time()
    number_of({}, (piece * 998)[:998])
    assert time.process_time() - begin < 0.05


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("rt-5.0.3-1234-1700000000-567.123-6-0@example.org", ("123", "references", "rt")),
        ("GLPI_a1B2c3-Ticket-123/new.1700000000.567@glpi", ("0000123", "references", "glpi")),
        ("GLPI-123.1700000000.567@glpi", ("0000123", "references", "glpi")),
        ("redmine.issue-7.20260101120000.5a5a@example.org", ("7", "references", "redmine")),
        ("redmine.journal-7.20260101120000.5a5a@example.org", None),
        ("rt-5.0.3-1234@example.org", None),
        ("20261122.081500.12345@example.net", None),
    ],
)
def test_message_ids_of_helpdesks(reference: str, expected: tuple[str, str, str] | None) -> None:
    """The answer to a helpdesk's mail names its ticket, whatever became of the subject."""
    assert found("", reference, forms=TicketForms()) == ([expected] if expected else [])


def test_the_order_of_trust() -> None:
    """Own patterns, then a helpdesk's field, then the newest Message-ID, then the subject; all are kept."""
    forms = own(r"Acme-(\d{1,9})", presets=("otrs", "rt", "generic"))
    references = ("rt-5.0.3-1-1-1.11-1-0@x", "rt-5.0.3-1-1-1.12-1-0@x")
    candidates = found("[Ticket#5] Acme-4 Ticket #6", *references, forms=forms, x_ticket_id="7")
    assert candidates == [
        ("4", "subject", "own 1"),
        ("7", "x-ticket-id", "generic"),
        ("12", "references", "rt"),
        ("11", "references", "rt"),
        ("5", "subject", "otrs"),
        ("6", "subject", "generic"),
    ]


@pytest.mark.parametrize(
    ("subject", "helpdesk"),
    [
        ("[Ticket#5]", "otrs"),
        ("[#5]", "osticket"),
        ("[GLPI #0000005]", "glpi"),
        ("[rt.example.org #5]", "rt"),
        ("[Project - Bug #5]", "redmine"),
        ("(ABC-5)", "jira"),
        ("Ticket-ID: 5", "generic"),
        ("[Ticket #5]", "generic"),
    ],
)
def test_each_form_belongs_to_a_helpdesk(subject: str, helpdesk: str) -> None:
    """It is found where its helpdesk is looked for, and not where that is left out."""
    ((_, where, form),) = found(subject, forms=TicketForms())
    assert (where, form) == ("subject", helpdesk)
    assert len(found(subject, forms=only(helpdesk))) == 1
    assert helpdesk not in [form for *_, form in found(subject, forms=TicketForms(PRESETS - {helpdesk}))]


def test_shared_forms() -> None:
    """Zammad writes as OTRS does, and RT's name may have no dot: each is found when it alone is looked for."""
    assert found("[Ticket#5]", forms=only("zammad")) == [("5", "subject", "zammad")]
    assert found("[Helpdesk #5]", forms=only("rt")) == [("5", "subject", "rt")]
    assert found("[Ticket#5] x", forms=only()) == []


def test_presets_are_those_of_the_configuration() -> None:
    """The configuration names every preset, and no other."""
    assert set(TICKET_PRESETS) == PRESETS


def test_own_patterns_see_references() -> None:
    """A pattern of the configuration finds its number in a Message-ID, too, and nothing where it is empty."""
    assert found("x", "acme.77@example.org", forms=own(r"acme\.(\d+)@")) == [("77", "references", "own 1")]
    assert found("acme:", forms=own(r"acme:(\d*)")) == []


def test_candidates_are_bounded() -> None:
    """A subject full of numbers gives a few candidates."""
    subject = " ".join(f"[#{number}]" for number in range(100))
    assert len(found(subject, forms=TicketForms())) == MAX_CANDIDATES


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "no regular expression"),
        (r"\d+", "one group"),
        (r"(a)(b)", "one group"),
        (r"((a+)+)", "for ever"),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, words: str) -> None:
    """A pattern that is none, has not one group, or may take for ever is named with its place."""
    rules, (problem,) = compile_mail_rules(Mail(ticket_patterns=("(x)", pattern)))
    assert problem.key == "mail.ticket_patterns[2]"
    assert words in problem.what
    assert len(rules.tickets.own) == 1


def test_own_patterns_take_bounded_time() -> None:
    """The slowest patterns that are allowed, all of them, end soon on a hostile mail."""
    forms = TicketForms(own=own(*[r"(a*)a*c"] * 20).own)
    references = ("a" * 998,) * 50
    begin = time.process_time()
    ticket_candidates({}, references, "a" * 998, forms)
    assert time.process_time() - begin < 2


def test_a_pattern_sees_no_more_than_its_bound() -> None:
    """What stands beyond is not looked at."""
    forms = TicketForms(presets=frozenset(), own=(OwnPattern(re.compile(r"#(\d)"), 5),))
    assert ticket_candidates({}, (), "     #5", forms) == ()
