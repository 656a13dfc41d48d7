"""The end of a client secret, a key or a refresh token, foreseen. Pure.

No provider tells it by the way of a token: the operator writes the day down. An expired secret stops a mailbox at once,
so the warnings come early, and not so often that nobody reads them.
"""

from datetime import date

STAGES = (0, 1, 7, 14)
"""Days before the end at which it is said once each."""
ALARM = 1
"""So many days before the end, and later, it is an alarm."""


def days_left(ends: date, today: date) -> int:
    """Whole days until the day on which the secret ends; 0 on that day, negative after it."""
    return (ends - today).days


def stage_of(days: int) -> int | None:
    """The stage that so many days left belong to; None while there is time."""
    return next((stage for stage in STAGES if days <= stage), None)
