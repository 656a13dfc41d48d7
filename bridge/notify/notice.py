"""A notice: what it says, what the receiver's answer means, and when it is tried again. Decisions as values."""

from datetime import UTC, datetime
from typing import Final

import orjson

from bridge.ledger.notices import Notice, NoticeOutcome, Sent

FIRST_WAIT: Final = 5.0
"""Seconds before a notice that was not taken is tried again; doubles."""
LONGEST_WAIT: Final = 3600.0
LONGEST_RECEIVER_WAIT: Final = 60.0
"""Seconds between two tries at most while the receiver takes nothing, whichever notice is tried."""
LEAST_JITTER: Final = 0.5
"""A wait is between this share of the computed time and all of it, so that retries spread out."""


def message_id(notice: Notice) -> str:
    """The `webhook-id`: the same for each try, and another for each notice."""
    return f"{notice.key}-{notice.outcome}"


def body(notice: Notice) -> bytes:
    """The payload, in the form of Standard Webhooks. It holds no address and no text of the customer."""
    data = {
        "key": notice.key,
        "source": notice.source,
        "kind": notice.kind,
        "route": notice.route,
        "ticket_number": notice.ticket_number or None,
        "message_id": notice.message_id or None,
        "acd_event_id": notice.acd_event_id,
        "acd_result": notice.state,
        "posted_at": _moment(notice.settled_at),
        "new_at": _moment(notice.new_at),
        "seen_at": _moment(notice.seen_at),
        "done_at": _moment(notice.done_at),
    }
    when = _moment(notice.done_at or notice.ended_at)
    return orjson.dumps({"type": f"acd_event.{notice.outcome}", "timestamp": when, "data": data})


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def after_answer(
    notice: Notice, status: int, *, now: int, chance: float, give_up_after: float, least: float = 0.0
) -> Sent:
    """What follows from an answer. Any 2xx is a yes; a redirect is not followed and is none.

    `now` is in milliseconds, `least` the seconds that the receiver asks to wait.
    """
    if 200 <= status < 300:
        return Sent(item_id=notice.item_id, outcome=NoticeOutcome.TAKEN)
    if status == 410:
        # Standard Webhooks 1.0.0, "Deliverability and reliability": the sender should stop sending.
        return Sent(item_id=notice.item_id, outcome=NoticeOutcome.GONE, detail="HTTP 410")
    words = f"HTTP {status}{', a redirect, which is not followed' if 300 <= status < 400 else ''}"
    return after_failure(notice, words, now=now, chance=chance, give_up_after=give_up_after, least=least)


def after_failure(
    notice: Notice, words: str, *, now: int, chance: float, give_up_after: float, least: float = 0.0
) -> Sent:
    """What follows where the notice was not taken: another try, or the end of its time."""
    end = notice.began_at + round(give_up_after * 1000)
    if now >= end:
        detail = f"given up after {give_up_after:.0f} s; last: {words}"
        return Sent(item_id=notice.item_id, outcome=NoticeOutcome.GAVE_UP, detail=detail)
    wait = max(wait_seconds(notice.tries + 1, LONGEST_WAIT, chance), min(least, LONGEST_WAIT))
    return Sent(item_id=notice.item_id, outcome=None, due_at=min(now + round(wait * 1000), end), detail=words)


def wait_seconds(tries: int, longest: float, chance: float) -> float:
    """The wait after the failure of this number (1 is the first): doubling, capped, jittered by `chance` in 0..1."""
    wait = min(longest, FIRST_WAIT * 2.0 ** min(tries - 1, 32))
    return wait * (LEAST_JITTER + (1 - LEAST_JITTER) * chance)
