"""The status page: values in, HTML out. Every text is escaped by the template, wherever it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bridge.ledger.state import OPEN, ItemState
from bridge.web.status import NEEDS_A_PERSON, Status

MAX_ROWS = 500
MAX_CELL_CHARACTERS = 200
NOTHING = "-"
ONLY_JSON = frozenset({"uidvalidity", "baseline"})
"""Keys that `/status.json` has and the page leaves out, for people never ask for them."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table. `tone` is `good`, `bad` or empty; a tone never stands without words."""

    words: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many items are in a state."""

    state: str
    number: int
    tone: str = ""


def status_page(status: Status, now: datetime) -> str:
    """The page of one moment. `now` is aware."""
    tone, headline, details = summary(status)
    return _templates.get_template("status.html").render(
        tone=tone,
        headline=headline,
        details=details,
        open_items=counts(status.items, [state for state in ItemState if state in OPEN]),
        settled_items=counts(status.items, [state for state in ItemState if state not in OPEN]),
        oldest="none" if status.oldest_open_age is None else span(status.oldest_open_age),
        tables=_tables(status),
        version=status.version,
        started=moment(status.started_at),
        up=span((now - status.started_at).total_seconds()),
        now=moment(now),
    )


def _tables(status: Status) -> dict[str, tuple[list[str], list[list[Cell]]]]:
    """What many do not use is only shown where it is used."""
    shown = {"Mailboxes": table(status.folders()), "Webhooks": table(status.webhooks)}
    if status.follow_up:
        shown["Follow-up"] = table(status.follow_up)
    if status.notices:
        shown["Notices"] = table(status.notices)
    return shown


def summary(status: Status) -> tuple[str, str, list[str]]:
    """What an operator wants to know first: its tone, one sentence, and what is wrong, one by one."""
    wrong = [
        f"Mailbox {name} is not connected: {words(lost)}." for name, lost in status.disconnected().items()
    ]
    wrong += [
        f"{number} {state}: see acd-bridge items list --state {state}."
        for state, number in status.needs_a_person().items()
    ]
    if status.paused:
        return "bad", "Nothing is posted to the ACD.", [f"Paused: {status.paused}.", *wrong]
    if wrong:
        return "warn", "The bridge works; something needs a look.", wrong
    return "good", "All is well.", []


def counts(items: Mapping[str, int], states: Sequence[ItemState]) -> list[Count]:
    """The states in their order, each with its number."""
    numbers = [(state, items.get(state, 0)) for state in states]
    return [
        Count(str(one), number, "warn" if number and one in NEEDS_A_PERSON else "") for one, number in numbers
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Cell]]]:
    """Column titles (all keys, in the order they first come) and one list of cells for each row."""
    keys = list(dict.fromkeys(key for row in rows[:MAX_ROWS] for key in row if key not in ONLY_JSON))
    return [key.replace("_", " ") for key in keys], [
        [cell(row.get(key)) for key in keys] for row in rows[:MAX_ROWS]
    ]


def cell(value: Any) -> Cell:
    """One value of a table; yes is good and no is bad, as in `connected`."""
    if isinstance(value, bool):
        return Cell("yes", "good") if value else Cell("no", "bad")
    text = words(value)
    return Cell(text if len(text) <= MAX_CELL_CHARACTERS else f"{text[:MAX_CELL_CHARACTERS]}...")


def words(value: Any) -> str:
    """A value as people read it: times in UTC, lists and tables with commas, `-` where there is nothing."""
    match value:
        case datetime():
            return moment(value)
        case float():
            return f"{value:.1f}"
        case list() | tuple():
            return ", ".join(words(one) for one in value[:MAX_ROWS]) or NOTHING
        case dict():
            return ", ".join(f"{key} {words(one)}" for key, one in value.items()) or NOTHING
    return NOTHING if value is None else str(value) or NOTHING


def span(seconds: float) -> str:
    """A length of time in its two largest units: `3 h 5 min`; what is below a second is `0 s`."""
    left = max(0, int(timedelta(seconds=seconds).total_seconds()))
    parts: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def moment(time: datetime) -> str:
    """A time to the second, in its own zone, which is UTC wherever the bridge made it."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
