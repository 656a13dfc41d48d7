"""How the words of a command choose items: filter options that many commands share, keys, and batches."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from bridge.cli.common import EXIT_STATE, EXIT_USAGE, fail, say
from bridge.errors import StateFileError
from bridge.ledger import queries
from bridge.ledger.item import ItemFilter
from bridge.ledger.state import ItemState
from bridge.ledger.visit import change, look

MOST_AT_ONCE = 1_000_000
BATCH = 500
"""Items that are changed in one transaction; it bounds the time that the service waits, to some milliseconds."""

NO_FILTER = ItemFilter(limit=MOST_AT_ONCE)
"""What `filtered` commands get where no option was given."""

DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def _filter(
    state: Annotated[
        list[ItemState] | None,
        typer.Option("--state", help="Only items in this state; may be given again."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only items of this mailbox or webhook.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only items with this reason.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only items of this sender's address.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only items of this ticket number.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="Only items accepted since then, in UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="Only items accepted before then, in UTC.")
    ] = None,
) -> ItemFilter:
    return ItemFilter(
        states=frozenset(state or ()),
        source=source,
        reason=reason,
        sender=sender,
        ticket=ticket,
        since=milliseconds(since),
        until=milliseconds(until),
        limit=MOST_AT_ONCE,
    )


def milliseconds(moment: datetime | None) -> int | None:
    """A time of the command line, which is in UTC, as it is stored."""
    return None if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a filter; it gets them as one ItemFilter in its argument `wanted`."""
    options = list(inspect.signature(_filter).parameters.values())
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "wanted"]

    @wraps(command)
    def with_options(**values: Any) -> None:
        chosen = {option.name: values.pop(option.name) for option in options}
        command(wanted=_filter(**chosen), **values)

    everything = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *options)]
    with_options.__signature__ = inspect.Signature(everything)  # type: ignore[attr-defined] # inspect looks for it
    hints = get_type_hints(command, include_extras=True) | get_type_hints(_filter, include_extras=True)
    with_options.__annotations__ = {one.name: hints[one.name] for one in everything}
    return with_options


def chosen(path: Path, keys: list[str] | None, wanted: ItemFilter) -> list[str]:
    """The full keys of what was named or filtered; naming nothing at all is no way to mean everything."""
    if keys:
        return [at(path, partial(queries.item, key=key)).key for key in keys]
    if wanted == NO_FILTER:
        say("error: name items by key, or give --state, --source or another filter")
        raise typer.Exit(EXIT_USAGE)
    found: list[str] = at(path, partial(queries.keys, wanted=wanted))
    return found


def possible(
    path: Path, found: Sequence[str], wanted: ItemFilter, states: frozenset[ItemState], words: str
) -> list[str]:
    """The keys of a filter that are in a possible state; says in `words` how many those are, and the others."""
    left_states = (wanted.states or frozenset(ItemState)) & states
    # No state at all would mean every state.
    left: list[str] = (
        at(path, partial(queries.keys, wanted=replace(wanted, states=left_states))) if left_states else []
    )
    if len(left) < len(found):
        say(words.format(len(left), len(found) - len(left)))
    return left


def changed(path: Path, keys: Sequence[str], function: Callable[..., dict[str, bool]]) -> dict[str, bool]:
    """Change the items in batches, so that the service goes on in between; for each key whether it was possible."""
    done: dict[str, bool] = {}
    for start in range(0, len(keys), BATCH):
        work = partial(function, keys=keys[start : start + BATCH])
        try:
            done |= change(path, work)
        except StateFileError as error:
            if done:
                say(f"{sum(done.values())} of {len(keys)} were done before this")
            fail(error, EXIT_STATE)
    return done


def at(path: Path, function: Callable[..., Any]) -> Any:
    """What the state file says, or exit code 74."""
    try:
        return look(path, function)
    except StateFileError as error:
        fail(error, EXIT_STATE)
