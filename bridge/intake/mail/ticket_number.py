"""The number of a helpdesk's ticket in a mail: in a field of its own, in a Message-ID that the mail answers, or in
the subject in a usual form.

It is a hint and no proof, since anyone can write a number into a subject. A bare number never counts. What is found
is kept with where and how it was found; the best one becomes the message's `ticket_number`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.message import TicketCandidate

PRESETS = frozenset({"otrs", "zammad", "glpi", "rt", "redmine", "jira", "osticket", "generic"})
OWN = "own"
"""Stands for a pattern of the configuration, with its number."""
MAX_CANDIDATES = 10
MOST_REFERENCES = 10
"""Newest references that patterns of the configuration are tried on."""
MAX_NUMBER = 80
"""Characters of a number that a pattern of the configuration found; a longer one is none."""

FIELDS = {
    "x-otrs-ticketnumber": "otrs",
    "x-zammad-ticket-number": "zammad",
    "x-redmine-issue-id": "redmine",
    "rt-ticket": "rt",
    "x-ticket-number": "generic",
    "x-ticket-id": "generic",
}
_FIELD_NAMES = frozenset(FIELDS)
_IN_FIELD = re.compile(r"(?:[^\s#]{0,100} ?#)?([A-Za-z0-9][A-Za-z0-9-]{0,39})")

# Each form is looked for as a whole; which helpdesk writes it so is only asked of what was found.
_BRACKETED = re.compile(
    # [Ticket#2026112310000042] (OTRS, Znuny, Zammad), [#123] (osTicket, Freshdesk), [GLPI #0000123],
    # [example.org #123] (RT), [Project - Bug #123] (Redmine); not [123#1]
    r"\[(?:[^\[\]#]{0,80} |(?i:ticket|case|incident|issue|request|vorgang|anfrage))?#:? ?([0-9]{1,20})\]"
)
_KEY = re.compile(r"[\[(]([A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,8})[\])]")
"""[ABC-123], (ABC-123) (Jira): the key is the number."""
_WORDS = re.compile(
    # Ticket-ID: 123, Ticket #123, Case number: 123
    r"\b(?i:(?:ticket|case|incident|vorgang)(?:[ -]?(?:id|number|nummer|n[or]\.?))?) ?(?:: ?#?|#)([0-9]{1,20})\b"
)
_GLPI = re.compile(r"\[GLPI #")
_RT = re.compile(r"\[[\w.-]+ #")
"""RT's name is mostly that of a domain, which tells it from `[Ticket #123]`."""
_REDMINE = re.compile(r"\[.* - .* #")
_MARKED = re.compile(r"[:#] ?#?[0-9]")
"""What every form of words ends in; found faster than the words."""

# <rt-5.0.3-1234-1700000000-567.123-6-0@example.org> (RT), <GLPI_uuid-Ticket-123/new.1700000000.567@host> and
# <GLPI-123.1700000000.567@host> (GLPI), <redmine.issue-123.20260101120000.5a5a@host> (Redmine)
_MESSAGE_ID = re.compile(
    r"rt-[0-9.]{1,20}-[0-9]{1,20}-[0-9]{1,20}-[0-9]{1,20}\.(?P<rt>[0-9]{1,20})-"
    r"|GLPI(?:_[A-Za-z0-9]{1,64}-Ticket)?-(?P<glpi>[0-9]{1,20})[./]"
    r"|redmine\.issue-(?P<redmine>[0-9]{1,20})\."
)
_FIRST_SIGNS = "rG"
_GLPI_DIGITS = 7
"""GLPI writes numbers with so many digits into subjects, and without leading zeros into Message-IDs."""


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """A regular expression of the configuration, with one group, and how many characters it may look at."""

    pattern: re.Pattern[str]
    looked_at: int


@dataclass(frozen=True, slots=True)
class TicketForms:
    """Which forms are looked for."""

    presets: frozenset[str] = PRESETS
    own: tuple[OwnPattern, ...] = ()


ALL_PRESETS = TicketForms()


def ticket_candidates(
    headers: Mapping[str, str], references: Sequence[str], subject: str, forms: TicketForms = ALL_PRESETS
) -> tuple[TicketCandidate, ...]:
    """Every number that is found, the most trusted first: by a pattern of the configuration, in a helpdesk's own
    field, in a Message-ID that is answered, in the subject. At most MAX_CANDIDATES.
    """
    found: list[TicketCandidate] = []
    if forms.own:
        found += _by_own(references, subject, forms.own)
    if not _FIELD_NAMES.isdisjoint(headers):
        found += _in_fields(headers, forms.presets)
    if references:
        found += _in_references(references, forms.presets)
    if "#" in subject or "-" in subject or ":" in subject:
        found += _in_subject(subject, forms.presets)
    return tuple(found) if len(found) < 2 else _once_each(found)


def _once_each(found: Sequence[TicketCandidate]) -> tuple[TicketCandidate, ...]:
    """One number at one place once, by the first form that finds it there."""
    kept: dict[tuple[str, str], TicketCandidate] = {}
    for one in found:
        kept.setdefault((one.number, one.where), one)
    return tuple(kept.values())[:MAX_CANDIDATES]


def _by_own(references: Sequence[str], subject: str, own: Sequence[OwnPattern]) -> Iterator[TicketCandidate]:
    for number, one in enumerate(own, 1):
        newest = references[: -1 - MOST_REFERENCES : -1]
        places = [("subject", subject), *(("references", reference) for reference in newest)]
        for where, text in places:
            match = one.pattern.search(text[: one.looked_at])
            if match and match[1] and len(match[1]) <= MAX_NUMBER:
                yield TicketCandidate(match[1], where, f"{OWN} {number}")


def _in_fields(headers: Mapping[str, str], presets: frozenset[str]) -> Iterator[TicketCandidate]:
    for name, preset in FIELDS.items():
        value = headers.get(name)
        if value and preset in presets and (match := _IN_FIELD.fullmatch(value.strip())):
            yield TicketCandidate(match[1], name, preset)


def _in_references(references: Sequence[str], presets: frozenset[str]) -> list[TicketCandidate]:
    """The newest first."""
    found = []
    for reference in reversed(references):
        if reference[0] in _FIRST_SIGNS and (match := _MESSAGE_ID.match(reference)):
            preset = match.lastgroup or ""
            number = match[preset].zfill(_GLPI_DIGITS) if preset == "glpi" else match[preset]
            if preset in presets:
                found.append(TicketCandidate(number, "references", preset))
    return found


def _in_subject(subject: str, presets: frozenset[str]) -> list[TicketCandidate]:
    """Bracketed forms first. Words are looked for where something is left that may belong to them."""
    found = []
    if "[" in subject:
        for match in _BRACKETED.finditer(subject):
            preset = _helpdesk_of(match[0], presets)
            if preset in presets:
                found.append(TicketCandidate(match[1], "subject", preset))
    if "-" in subject and "jira" in presets:
        found += [TicketCandidate(match[1], "subject", "jira") for match in _KEY.finditer(subject)]
    if (not found or subject.count("#") > len(found)) and "generic" in presets and _MARKED.search(subject):
        found += [TicketCandidate(match[1], "subject", "generic") for match in _WORDS.finditer(subject)]
    return found


def _helpdesk_of(bracketed: str, presets: frozenset[str]) -> str:
    """Which helpdesk writes a bracketed form so. Where two do, the one that is looked for."""
    if bracketed[1:8].lower() == "ticket#":
        return "otrs" if "otrs" in presets else "zammad"
    if bracketed[1] == "#":
        return "osticket"
    if _GLPI.match(bracketed):
        return "glpi"
    if _REDMINE.match(bracketed):
        return "redmine"
    if _RT.match(bracketed) and ("." in bracketed or "generic" not in presets):
        return "rt"
    return "generic"
