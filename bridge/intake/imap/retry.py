"""How long to wait before a mail server is tried again. Pure: the randomness is handed in."""

from dataclasses import dataclass

from bridge.intake.imap.failure import Kind, MailServerError


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits in seconds: `first` doubles up to `cap`."""

    first: float
    cap: float


@dataclass(frozen=True, slots=True)
class RetryTimes:
    """The waits by kind of failure."""

    outage: Waits = Waits(1.0, 300.0)
    """The server or the way to it is down: it comes back by itself."""
    configuration: Waits = Waits(120.0, 1800.0)
    """Somebody has to do something. Slow, since repeated wrong passwords lock accounts."""
    busy: Waits = Waits(30.0, 900.0)
    """The server asked to come later."""
    survival: float = 60.0
    """Seconds that a connection must live before its end counts as a first failure again."""


SOMEBODY_MUST_ACT = frozenset(
    {
        Kind.SIGN_IN_REFUSED,
        Kind.SECRET,
        Kind.STARTTLS_MISSING,
        Kind.FOLDER_MISSING,
        Kind.TOKEN_REFUSED,
        Kind.NO_ACCESS,
    }
)
PUT_OFF = frozenset({Kind.BUSY, Kind.TOKEN_THROTTLED, Kind.NOT_CONNECTED})
NOT_CONNECTED_TRIES = 3
"""So often a mailbox that cannot be opened after sign-in is taken as busy, before it is taken as misconfigured."""


def wait_before(kind: Kind, failures: int, fraction: float, times: RetryTimes, asked: float = 0.0) -> float:
    """Seconds to wait after so many failures in a row (1 or more).

    `fraction` is random, from 0 to below 1: the wait lies between half of its length and all of it, so that
    many bridges do not come back at one instant. A pause that the server asked for is never cut short.
    """
    waits = times.outage
    if kind in SOMEBODY_MUST_ACT:
        waits = times.configuration
    elif kind in PUT_OFF:
        waits = times.busy
    full = min(waits.cap, waits.first * 2.0 ** min(failures - 1, 32))
    return max(asked, full * (0.5 + fraction / 2))


def failures_after(failures: int, lived: float, *, progress: bool, times: RetryTimes) -> int:
    """The count of failures in a row, this one included.

    One that comes after a connection that lived long, or that took mail in, is a first one.
    """
    return 1 if progress or lived >= times.survival else failures + 1


def refused_in_a_row(count: int, failure: MailServerError, *, first: bool) -> int:
    """How often in a row the mailbox could not be opened after sign-in. Only a good while ends the row:
    outages in between prove nothing.
    """
    return (0 if first else count) + (failure.kind is Kind.NOT_CONNECTED)


def judged(failure: MailServerError, in_a_row: int) -> MailServerError:
    """After some tries, a mailbox that cannot be opened is no longer taken as busy."""
    if failure.kind is Kind.NOT_CONNECTED and in_a_row > NOT_CONNECTED_TRIES:
        return MailServerError(Kind.NO_ACCESS, failure.message, hint=failure.hint)
    return failure
