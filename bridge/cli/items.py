"""`acd-bridge items ...`: looking at items and deciding about them, also while the service runs."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_STATE,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    YesOption,
    fail,
    load_or_exit,
    print_json,
    print_table,
    say,
)
from bridge.errors import StateFileError
from bridge.ledger import operating, queries
from bridge.ledger.item import Item, ItemFilter
from bridge.ledger.state import DROPPABLE, RETRYABLE, ItemState
from bridge.ledger.visit import change, look

app = typer.Typer(help="Look at items, and decide about them.", no_args_is_help=True)

MOST_AT_ONCE = 1_000_000

StateOption = Annotated[
    list[ItemState] | None, typer.Option("--state", help="Only items in this state; may be given again.")
]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only items of this mailbox or webhook.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only items with this reason.")]
KeysArgument = Annotated[list[str] | None, typer.Argument(help="Keys of items, or the beginnings of keys.")]


def register(root: typer.Typer) -> None:
    """Add the commands of this file."""
    root.add_typer(app, name="items")


@app.command("list")
def list_items(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    state: StateOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 50,
    json: JsonOption = False,
) -> None:
    """The newest items first."""
    wanted = ItemFilter(states=frozenset(state or ()), source=source, reason=reason, limit=limit)
    found = _look(state_path(config), partial(queries.items, wanted=wanted))
    if json:
        for item in found:
            print_json(as_json(item))
        return
    print_table(
        ("key", "accepted", "source", "state", "reason", "event", "sender", "subject"),
        [_row(item) for item in found],
        whole=("key",),
    )


@app.command("show")
def show_item(
    key: Annotated[str, typer.Argument(help="The item's key, or its beginning.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: JsonOption = False,
) -> None:
    """One item with every attempt."""
    path = state_path(config)
    item = _look(path, partial(queries.item, key=key))
    story = as_json(item) | {
        "attempts": [
            asdict(attempt) | {"started_at": moment(attempt.started_at), "ended_at": moment(attempt.ended_at)}
            for attempt in _look(path, partial(queries.attempts, item_id=item.id))
        ],
        "found_again": [
            {"place": place, "last": moment(seen_at), "times": times}
            for place, seen_at, times in _look(path, partial(queries.repeats, item_id=item.id))
        ],
    }
    if json:
        print_json(story)
    else:
        print_table(("what", ""), list(_flat(story)))


@app.command("retry")
def retry_items(
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    state: StateOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Post items again, by key or by filter: dead letters, dropped ones, and uncertain ones.

    An uncertain item's event may exist: look into the ACD before you post it again.
    """
    path = state_path(config)
    chosen = _choose(path, keys, state, source, reason)
    if not keys:
        wanted = ItemFilter(states=frozenset(state or ()), source=source, reason=reason, with_event=True)
        chosen = _possible(
            path, chosen, wanted, RETRYABLE, "{} can be retried; {} are delivered or have no event"
        )
    ask(f"Post {_count(chosen)} again?", yes=yes or not chosen)
    _report(_change(path, partial(operating.retry, keys=chosen, now=_now())), "will be posted", json=json)


@app.command("release")
def release_items(
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    state: StateOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Let held items go, by key or by filter. Mails of a suspected loop that were collapsed can go too.

    A filter means held items. The mails behind a suspected loop are `--state duplicate --reason suspected-loop`.
    """
    path = state_path(config)
    if not keys and (source or reason):
        state = state or [ItemState.HELD]
    chosen = _choose(path, keys, state, source, reason)
    ask(f"Release {_count(chosen)}?", yes=yes)
    _report(_change(path, partial(operating.release, keys=chosen, now=_now())), "released", json=json)


@app.command("drop")
def drop_items(
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    why: Annotated[str | None, typer.Option(help="The reason, kept with the item.")] = None,
    state: StateOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Give items up for good, by key or by filter. It asks for the reason where `--why` is not given."""
    path = state_path(config)
    chosen = _choose(path, keys, state, source, reason)
    if not keys:
        wanted = ItemFilter(states=frozenset(state or ()), source=source, reason=reason)
        words = "{} can be dropped; {} are delivered, under way or dropped already"
        chosen = _possible(path, chosen, wanted, DROPPABLE, words)
    why = why or _asked_why()
    ask(f"Drop {_count(chosen)}?", yes=yes or not chosen)
    _report(_change(path, partial(operating.drop, keys=chosen, why=why, now=_now())), "dropped", json=json)


def state_path(config: Path) -> Path:
    """Where the state file of this configuration is."""
    return load_or_exit(config).state.path


def moment(milliseconds: int | None) -> str | None:
    """A stored time in ISO 8601, UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def as_json(item: Item) -> dict[str, Any]:
    """An item for programs: times in ISO 8601."""
    fields = asdict(item)
    del fields["id"]
    times = ("received_at", "accepted_at", "due_at", "settled_at")
    return fields | {name: moment(fields[name]) for name in times}


def _choose(
    path: Path, keys: list[str] | None, state: list[ItemState] | None, source: str | None, reason: str | None
) -> list[str]:
    """The full keys of what was named or filtered; naming nothing at all is no way to mean everything."""
    if keys:
        return [_look(path, partial(queries.item, key=key)).key for key in keys]
    if not (state or source or reason):
        say("error: name items by key, or give --state, --source or --reason")
        raise typer.Exit(EXIT_USAGE)
    wanted = ItemFilter(states=frozenset(state or ()), source=source, reason=reason, limit=MOST_AT_ONCE)
    found: list[str] = _look(path, partial(queries.keys, wanted=wanted))
    return found


def _possible(
    path: Path, found: Sequence[str], wanted: ItemFilter, possible: frozenset[ItemState], words: str
) -> list[str]:
    """The keys of a filter that are in a possible state; says in `words` how many those are, and the others."""
    states = (wanted.states or frozenset(ItemState)) & possible
    narrower = replace(wanted, states=states, limit=MOST_AT_ONCE)
    # No state at all would mean every state.
    left: list[str] = _look(path, partial(queries.keys, wanted=narrower)) if states else []
    if len(left) < len(found):
        say(words.format(len(left), len(found) - len(left)))
    return left


def _asked_why() -> str:
    if not sys.stdin.isatty():
        say("error: dropping needs a reason, and there is no terminal to ask on; add --why WORDS")
        raise typer.Exit(EXIT_USAGE)
    why: str = typer.prompt("Why", err=True)
    return why


def _count(chosen: Sequence[str]) -> str:
    return "1 item" if len(chosen) == 1 else f"{len(chosen)} items"


def ask(question: str, *, yes: bool) -> None:
    """Ask before something is done; without a terminal and `--yes`, exit code 64."""
    if yes:
        return
    if not sys.stdin.isatty():
        say("error: this asks first; without a terminal give --yes")
        raise typer.Exit(EXIT_USAGE)
    typer.confirm(question, abort=True, err=True)


def _report(done: dict[str, bool], word: str, *, json: bool) -> None:
    if json:
        print_json(done)
    refused = [key for key, good in done.items() if not good]
    say(f"{len(done) - len(refused)} {word}")
    for key in refused:
        say(f"error: {key}: not possible in its state, or it has no event")
    if refused:
        raise typer.Exit(1)


def _row(item: Item) -> tuple[object, ...]:
    return (
        item.key,
        moment(item.accepted_at),
        item.source,
        item.state,
        item.reason,
        item.acd_event_id,
        item.message.get("sender", ""),
        item.message.get("subject", ""),
    )


def _flat(value: Any, name: str = "") -> list[tuple[str, object]]:
    """A nested value as lines of `name.part`, value."""
    if isinstance(value, dict):
        return [line for key, part in value.items() for line in _flat(part, f"{name}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [line for number, part in enumerate(value, 1) for line in _flat(part, f"{name}[{number}]")]
    return [(name, value)]


def _look(path: Path, function: Callable[..., Any]) -> Any:
    try:
        return look(path, function)
    except StateFileError as error:
        fail(error, EXIT_STATE)


def _change(path: Path, function: Callable[..., Any]) -> Any:
    try:
        return change(path, function)
    except StateFileError as error:
        fail(error, EXIT_STATE)


def _now() -> int:
    return round(time.time() * 1000)
