"""`acd-bridge items retry|release|drop`: what an operator decides about items, also while the service runs."""

import sys
import time
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from bridge.cli.choice import NO_FILTER, changed, chosen, filtered, possible
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_FAILED,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    YesOption,
    ask,
    count,
    print_json,
    say,
    state_path,
)
from bridge.cli.items import app as items
from bridge.ledger import operating
from bridge.ledger.item import ItemFilter
from bridge.ledger.state import DROPPABLE, RELEASABLE, RETRYABLE, ItemState

KeysArgument = Annotated[list[str] | None, typer.Argument(help="Keys of items, or the beginnings of keys.")]


def register(_: typer.Typer) -> None:
    """Add the commands of this file to the group of `bridge.cli.items`."""
    items.command("retry")(retry)
    items.command("release")(release)
    items.command("drop")(drop)


@filtered
def retry(
    wanted: ItemFilter,
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Post items again, by key or by filter: dead letters, dropped ones, and uncertain ones.

    An uncertain item's event may exist: look into the ACD before you post it again.
    """
    path = state_path(config)
    found = chosen(path, keys, wanted)
    if not keys:
        words = "{} can be retried; {} are delivered or have no event"
        found = possible(path, found, replace(wanted, with_event=True), RETRYABLE, words)
    ask(f"Post {count(len(found))} again?", yes=yes or not found)
    _report(changed(path, found, partial(operating.retry, now=_now())), "will be posted", json=json)


@filtered
def release(
    wanted: ItemFilter,
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Let held items go, by key or by filter. Those that another item stands for can go too.

    A filter means held items. The mails behind a suspected loop are `--state duplicate --reason suspected-loop`, what
    came by another source too `--state duplicate --reason same-case`.
    """
    path = state_path(config)
    if not keys and not wanted.states and wanted != NO_FILTER:
        wanted = replace(wanted, states=frozenset({ItemState.HELD}))
    found = chosen(path, keys, wanted)
    if not keys:
        words = "{} can be released; {} are not held back or have no event"
        found = possible(path, found, replace(wanted, with_event=True), RELEASABLE, words)
    ask(f"Release {count(len(found))}?", yes=yes or not found)
    _report(changed(path, found, partial(operating.release, now=_now())), "released", json=json)


@filtered
def drop(
    wanted: ItemFilter,
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    why: Annotated[str | None, typer.Option(help="The reason, kept with the item.")] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Give items up for good, by key or by filter. It asks for the reason where `--why` is not given."""
    path = state_path(config)
    found = chosen(path, keys, wanted)
    if not keys:
        words = "{} can be dropped; {} are delivered, under way or dropped already"
        found = possible(path, found, wanted, DROPPABLE, words)
    why = why or _asked_why()
    ask(f"Drop {count(len(found))}?", yes=yes or not found)
    _report(changed(path, found, partial(operating.drop, why=why, now=_now())), "dropped", json=json)


def _asked_why() -> str:
    if not sys.stdin.isatty():
        say("error: dropping needs a reason, and there is no terminal to ask on; add --why WORDS")
        raise typer.Exit(EXIT_USAGE)
    why: str = typer.prompt("Why", err=True)
    return why


def _report(done: dict[str, bool], word: str, *, json: bool) -> None:
    if json:
        print_json(done)
    refused = [key for key, good in done.items() if not good]
    say(f"{len(done) - len(refused)} {word}")
    for key in refused:
        say(f"error: {key}: not possible in its state, or it has no event")
    if refused:
        raise typer.Exit(EXIT_FAILED)


def _now() -> int:
    return round(time.time() * 1000)
