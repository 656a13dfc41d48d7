"""`acd-bridge items list|show`: looking at items, also while the service runs."""

from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any

import typer

from bridge.cli.choice import at, filtered
from bridge.cli.common import (
    DEFAULT_CONFIG,
    MAX_NUMBER,
    ConfigOption,
    JsonOption,
    moment,
    print_json,
    print_table,
    state_path,
)
from bridge.ledger import follow_ups, notices, queries
from bridge.ledger.duplicates import of_item
from bridge.ledger.item import Item, ItemFilter
from bridge.story import duplicates_of, in_iso

app = typer.Typer(help="Look at items, and decide about them.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the commands of this file."""
    root.add_typer(app, name="items")


@app.command("list")
@filtered
def list_items(
    wanted: ItemFilter,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_NUMBER, help="How many at the most.")] = 50,
    json: JsonOption = False,
) -> None:
    """The newest items first."""
    found = at(state_path(config), partial(queries.items, wanted=replace(wanted, limit=limit)))
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
    """One item with every attempt, the items that share its event, and where that stands where it is followed."""
    path = state_path(config)
    item = at(path, partial(queries.item, key=key))
    story = as_json(item) | {
        "attempts": [
            asdict(attempt) | {"started_at": moment(attempt.started_at), "ended_at": moment(attempt.ended_at)}
            for attempt in at(path, partial(queries.attempts, item_id=item.id))
        ],
        "found_again": [
            {"place": place, "last": moment(seen_at), "times": times}
            for place, seen_at, times in at(path, partial(queries.repeats, item_id=item.id))
        ],
        "follow_up": in_iso(at(path, partial(follow_ups.state_of, item_id=item.id))),
        "notice": in_iso(at(path, partial(notices.state_of, item_id=item.id))),
        "duplicates": duplicates_of(item.key, at(path, partial(of_item, item_id=item.id))),
    }
    if json:
        print_json(story)
    else:
        print_table(("what", ""), list(_flat(story)))


def as_json(item: Item) -> dict[str, Any]:
    """An item for programs: times in ISO 8601."""
    fields = asdict(item)
    del fields["id"]
    times = ("received_at", "accepted_at", "due_at", "settled_at")
    return fields | {name: moment(fields[name]) for name in times}


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
