"""The number of a helpdesk's ticket in a mail: in a field of its own, or in the subject in a usual form.

It is a hint and no proof, since anyone can write a number into a subject. A bare number never counts.
"""

import re
from collections.abc import Mapping

FIELDS = (
    "x-otrs-ticketnumber",
    "x-zammad-ticket-number",
    "x-redmine-issue-id",
    "rt-ticket",
    "x-ticket-number",
    "x-ticket-id",
)
_IN_FIELD = re.compile(r"(?:[^\s#]{0,100} ?#)?([A-Za-z0-9][A-Za-z0-9-]{0,39})")

SUBJECT_FORMS = tuple(
    re.compile(form)
    for form in (
        # [Ticket#2026112310000042] (OTRS, Znuny, Zammad), [#123] (osTicket, Freshdesk), [GLPI #0000123],
        # [example.org #123] (RT), [Project - Bug #123] (Redmine); not [123#1]
        r"\[(?:[^\[\]#]{0,80} |(?i:ticket|case|incident|issue|request|vorgang|anfrage))?#:? ?([0-9]{1,20})\]",
        # [ABC-123], (ABC-123) (Jira): the key is the number
        r"[\[(]([A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,8})[\])]",
        # Ticket-ID: 123, Ticket #123, Case number: 123
        r"\b(?i:(?:ticket|case|incident|vorgang)(?:[ -]?(?:id|number|nummer|n[or]\.?))?) ?(?:: ?#?|#)([0-9]{1,20})\b",
    )
)


def ticket_number_of(headers: Mapping[str, str], subject: str) -> str:
    """The ticket's number as the helpdesk writes it, or empty. The first form that is found wins."""
    for name in FIELDS:
        if value := headers.get(name):
            match = _IN_FIELD.fullmatch(value.strip())
            if match:
                return match[1]
    if "#" not in subject and "-" not in subject and ":" not in subject:
        return ""
    for form in SUBJECT_FORMS:
        if match := form.search(subject):
            return match[1]
    return ""
