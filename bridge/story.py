"""An item's whole story: what is known of it, as plain values and in words."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.ledger import follow_ups, notices, queries
from bridge.ledger.duplicates import Duplicate, of_item
from bridge.ledger.finding import raw_of
from bridge.ledger.follow_ups import FollowUpState
from bridge.ledger.item import Attempt, Item
from bridge.ledger.mail_actions import ActionState, state_of, waits_for_done
from bridge.ledger.notices import NoticeState
from bridge.ledger.state import OPEN, ItemState
from bridge.message import Noticed
from bridge.routing.router import UNTOLD

Tried = Sequence[tuple[str, str]]

AS_NOW = "by the routes as they are now"
MAIL_NOT_KEPT = (
    "what is not kept cannot be asked about; save the mail from its folder and call `acd-bridge map FILE`"
)
BODY_NOT_KEPT = "what is not kept cannot be asked about; a webhook's body is only kept of quarantined items"

_TOLD_ELSEWHERE = frozenset({"notes", "ticket_candidates", "noticed"})
_NOTICED = {
    Noticed.WEBHOOK: "the helpdesk posted it",
    Noticed.PUSH: "the mail server told of it while the connection waited",
    Noticed.POLL: "the folder was looked at again after a while",
    Noticed.LOOK: "the folder was looked at after connecting",
    Noticed.AUDIT: "it had been missed, and the audit found it",
    Noticed.RENUMBERING: "its folder was numbered anew and gone through",
    Noticed.BACKFILL: "old mail was asked for",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the state file knows of an item."""

    item: Item
    attempts: Sequence[Attempt]
    repeats: Sequence[tuple[str, int, int]]
    duplicates: Sequence[Duplicate]
    action: ActionState | None
    waits_for_done: bool
    """Whether the mail gets its action once its event is Done."""
    followed: FollowUpState | None
    notice: NoticeState | None
    raw: bytes | None


def known_of(conn: sqlite3.Connection, item: Item) -> Known:
    """Gather it. Every part is bounded."""
    return Known(
        item=item,
        attempts=queries.attempts(conn, item.id),
        repeats=queries.repeats(conn, item.id),
        duplicates=of_item(conn, item.id),
        action=state_of(conn, item.id),
        waits_for_done=waits_for_done(conn, item.id),
        followed=follow_ups.state_of(conn, item.id),
        notice=notices.state_of(conn, item.id),
        raw=raw_of(conn, item.id),
    )


def story(known: Known, tried: Tried | None = None) -> dict[str, Any]:
    """The story as plain values. `tried` are the routes that do not match, where they were asked again."""
    item, message = known.item, known.item.message
    return {
        "key": item.key,
        "came": {
            "kind": item.kind,
            "source": item.source,
            "place": item.place,
            "noticed": message.get("noticed", ""),
            "received_at": moment(item.received_at),
            "accepted_at": moment(item.accepted_at),
        },
        "read": {name: value for name, value in message.items() if name not in _TOLD_ELSEWHERE},
        "notes": list(message.get("notes", ())),
        "ticket_candidates": list(message.get("ticket_candidates", ())),
        "conversation": item.conversation,
        "route": {
            "name": item.route,
            "tried": None if tried is None else [{"route": name, "why_not": why} for name, why in tried],
            "tried_words": _tried_words(known, tried),
        },
        "event": item.event,
        "attempts": [_attempt(one) for one in known.attempts],
        "found_again": [
            {"place": place, "last": moment(last), "times": times} for place, last, times in known.repeats
        ],
        "duplicates": duplicates_of(item.key, known.duplicates),
        "after_delivery": in_iso(known.action),
        "after_delivery_waits_for_done": known.waits_for_done,
        "follow_up": in_iso(known.followed),
        "notice": in_iso(known.notice),
        "state": item.state.value,
        "reason": item.reason,
        "detail": item.detail,
        "acd_event_id": item.acd_event_id,
        "settled_at": moment(item.settled_at),
        "next": next_step(known),
    }


def duplicates_of(key: str, found: Sequence[Duplicate]) -> list[dict[str, Any]]:
    """The other items that share this one's event, as plain values; `role` is this item's part."""
    return [
        {
            "role": "duplicate" if one.key == key else "first",
            "kind": one.kind.value,
            "other_key": one.first_key if one.key == key else one.key,
            "other_source": one.first_source if one.key == key else one.source,
            "at": moment(one.at),
            "over_at": moment(one.over_at),
        }
        for one in found
    ]


def moment(milliseconds: int | None) -> str | None:
    """A stored time in ISO 8601, UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


_NEXT = {
    ItemState.PENDING: "it is posted as soon as it is its turn, from {due} on",
    ItemState.SENDING: "the ACD's answer is waited for",
    ItemState.UNCERTAIN: "the ACD is asked whether it has the event; only where it has not, it is posted again",
    ItemState.HELD: "nothing until an operator decides: `acd-bridge items release {key}` or `items drop {key}`",
    ItemState.DEAD: "nothing by itself; `acd-bridge items retry {key}` posts it again",
    ItemState.DUPLICATE: "nothing: another item stands for it; `acd-bridge items release {key}` posts it all the same",
    ItemState.QUARANTINED: "nothing by itself; correct the routes, then `acd-bridge items drop {key}` puts it away",
}


def next_step(known: Known) -> str:
    """What happens next with an item, or what an operator can do."""
    item = known.item
    words = _NEXT.get(item.state) or _after_the_event(known)
    return words.format(key=item.key, due=moment(item.due_at))


def _after_the_event(known: Known) -> str:
    """What is still to come once the event is in the ACD."""
    waiting = (
        (known.followed, "its event is looked at in the ACD"),
        (known.action, "the mail gets its action"),
        (known.notice, "its notice is sent"),
    )
    coming = [(one.due_at, words) for one, words in waiting if one is not None and one.ended_at is None]
    if not coming:
        return "nothing: it is settled"
    due_at, words = min(coming, key=lambda one: one[0])
    return f"{words}, from {moment(due_at)} on"


def in_words(told: Mapping[str, Any]) -> list[str]:
    """The story as lines for people."""
    return [
        f"item {told['key']}: {told['state']}{_because(told['reason'], told['detail'])}",
        *_came_lines(told),
        *_read_lines(told),
        *_route_lines(told["route"]),
        *_attempt_lines(told),
        *map(_duplicate_line, told["duplicates"]),
        *_action_lines(told),
        *_follow_up_lines(told["follow_up"]),
        *_notice_lines(told["notice"]),
        f"next: {told['next']}",
    ]


def _came_lines(told: Mapping[str, Any]) -> Iterator[str]:
    came = told["came"]
    yield f"came: {came['kind']} of {came['source']!r} at {came['place']}"
    yield f"  received {came['received_at']}, stored {came['accepted_at']}"
    if came["noticed"] in _NOTICED:
        yield f"  noticed by {came['noticed']}: {_NOTICED[came['noticed']]}"
    for again in told["found_again"]:
        yield f"  found again at {again['place']}, {_times(again['times'])}, last {again['last']}"


def _read_lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield "read:"
    for name, value in told["read"].items():
        yield f"  {name}: {value}"
    for note in told["notes"]:
        yield f"  note: {note}"
    for number, one in enumerate(told["ticket_candidates"]):
        chosen = "is taken" if number == 0 else "is less trusted"
        yield f"  ticket number {one['number']} in {one['where']} (form {one['form']}) {chosen}"
    yield f"  kept in order with: {told['conversation']}"


def _route_lines(route: Mapping[str, Any]) -> Iterator[str]:
    yield f"route: {route['name']}" if route["name"] else "route: none"
    if route["tried"]:
        yield f"  before it, {AS_NOW}:" if route["name"] else f"  {AS_NOW}:"
    for one in route["tried"] or ():
        yield f"  {one['route']}: {one['why_not']}"
    if route["tried_words"]:
        yield f"  {route['tried_words']}"


def _attempt_lines(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["attempts"]:
        yield "attempts: none"
    for one in told["attempts"]:
        status = f" (HTTP {one['http_status']})" if one["http_status"] else ""
        words = _because(one["reason"], one["words"])
        yield f"attempt {one['number']} at {one['started_at']}: {one['outcome'] or 'under way'}{status}{words}"
    if told["acd_event_id"] is not None:
        yield f"event in the ACD: {told['acd_event_id']}"


_SHARED = {
    ("duplicate", "updated"): "went into the event of {other}",
    ("duplicate", "same-case"): "{other} stands for it: the same case",
    ("duplicate", "same-letter"): "{other} stands for it: a copy of the same mail",
    ("first", "updated"): "{other} went into its event",
    ("first", "same-case"): "stands for {other}: the same case",
    ("first", "same-letter"): "stands for {other}: a copy of the same mail",
}


def _duplicate_line(one: Mapping[str, Any]) -> str:
    other = (
        f"item {one['other_key']} of {one['other_source']!r}"
        if one["other_key"]
        else "nobody the bridge knows"
    )
    over = f", until {one['over_at']}" if one["over_at"] else ""
    return f"{_SHARED[one['role'], one['kind']].format(other=other)}, since {one['at']}{over}"


def _action_lines(told: Mapping[str, Any]) -> Iterator[str]:
    action = told["after_delivery"]
    if action is None and told["state"] in OPEN:
        yield "after delivery: nothing before it is delivered"
    elif action is None and told["after_delivery_waits_for_done"]:
        yield "after delivery: it begins when the event is Done in the ACD"
    elif action is None:
        yield "after delivery: nothing is to be done with it"
    elif action["ended_at"]:
        yield f"after delivery: {action['outcome']} at {action['ended_at']}{_because('', action['detail'])}"
    else:
        refused = f", refused {_times(action['tries'])}" if action["tries"] else ""
        yield f"after delivery: due at {action['due_at']}{refused}{_because('', action['detail'])}"


def _follow_up_lines(told: Mapping[str, Any] | None) -> Iterator[str]:
    if told is None:
        return
    state = told["status_name"] or (
        f"state {told['status']}" if told["status"] is not None else "not seen yet"
    )
    times = [f"{name} {told[key]}" for name, key in _MILESTONES if told[key]]
    yield f"in the ACD: {', '.join([state, *times])}"
    if told["ended_at"]:
        end = f"ended as {told['outcome']} at {told['ended_at']}"
    else:
        end = f"looked at {_times(told['looks'])}, next at {told['due_at']}"
    yield f"  followed: {end}{_because('', told['detail'])}"


_MILESTONES = (("New at", "new_at"), ("Seen at", "seen_at"), ("Done at", "done_at"))


def _notice_lines(told: Mapping[str, Any] | None) -> Iterator[str]:
    if told is None:
        return
    failed = f", not taken {_times(told['tries'])}" if told["tries"] else ""
    end = f"{told['outcome']} at {told['ended_at']}" if told["ended_at"] else f"due at {told['due_at']}"
    yield f"notice to {told['target']!r}: {end}{failed}{_because('', told['detail'])}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _because(reason: str | None, detail: str | None) -> str:
    words = ": ".join(filter(None, (reason, detail)))
    return f", {words}" if words else ""


def _tried_words(known: Known, tried: Tried | None) -> str:
    if tried is not None and UNTOLD not in dict(tried).values():
        return ""
    return MAIL_NOT_KEPT if known.item.kind == "mail" else BODY_NOT_KEPT


def _attempt(one: Attempt) -> dict[str, Any]:
    return asdict(one) | {"started_at": moment(one.started_at), "ended_at": moment(one.ended_at)}


def in_iso(stored: ActionState | FollowUpState | NoticeState | None) -> dict[str, Any] | None:
    """A stored value as plain values, its times in ISO 8601."""
    if stored is None:
        return None
    return {name: moment(value) if name.endswith("_at") else value for name, value in asdict(stored).items()}
