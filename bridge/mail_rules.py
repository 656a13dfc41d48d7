"""The table `[mail]` of the configuration, checked and compiled."""

from bridge.config.mail import Mail
from bridge.errors import Problem
from bridge.intake.mail.reading_rules import ReadingRules
from bridge.intake.mail.ticket_number import OwnPattern, TicketForms
from bridge.routing.pattern import LOOKED_AT, PatternError, compiled

LOOKED_AT_ONE, LOOKED_AT_TWO = 250, 120
"""Characters that a pattern with one open repeat, or with two, sees of a subject: a millisecond at the worst."""


def compile_mail_rules(mail: Mail) -> tuple[ReadingRules, list[Problem]]:
    """The rules of reading mails, without the patterns that cannot be used, and what is wrong with those."""
    own: list[OwnPattern] = []
    problems: list[Problem] = []
    for number, pattern in enumerate(mail.ticket_patterns, 1):
        try:
            own.append(_own(pattern))
        except PatternError as error:
            hint = r"an example: '\[Acme-(\d{1,9})\]'"
            problems.append(Problem(f"mail.ticket_patterns[{number}]", str(error), hint))
    forms = TicketForms(presets=frozenset(mail.ticket_presets), own=tuple(own))
    return ReadingRules(frozenset(one.lower() for one in mail.addresses), forms), problems


def _own(pattern: str) -> OwnPattern:
    expression, length = compiled(pattern)
    if expression.groups != 1:
        raise PatternError(f"must have one group, around the number; it has {expression.groups}")
    return OwnPattern(expression, LOOKED_AT_ONE if length == LOOKED_AT else LOOKED_AT_TWO)
