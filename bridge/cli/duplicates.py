"""`acd-bridge duplicates`: events that several items went into, also while the service runs."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import typer

from bridge.cli.choice import DAYS, at, milliseconds
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
from bridge.ledger.duplicates import Duplicate, DuplicateFilter, RepeatedEvent, newest, repeated_events

_COLUMNS = (
    "event", "first_key", "first_source", "first_at", "repeats", "first_repeat", "last_repeat", "by", "ticket",
    "subject",
)  # fmt: skip
_CSV_COLUMNS = (
    "at", "acd_event_id", "key", "source", "sender", "subject", "ticket_number",
    "first_key", "first_source", "first_at", "kind",
)  # fmt: skip


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("duplicates")(duplicates)


def duplicates(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    event: Annotated[
        int | None, typer.Option(min=1, max=MAX_NUMBER, help="Only this event of the ACD.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="Only repeats with this ticket number.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="Only repeats since then, in UTC.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_NUMBER, help="How many events, or lines of CSV, at the most.")
    ] = 1000,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV with a header line, a line a repeat.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Events that more than one item went into: the first item, how many repeats, when first and last.

    Repeats are items that the ACD answered `UPDATED` for, and those that another source's item stands for. With
    `--json` the newest 1000 repeats of each event are told one by one.
    """
    path = state_path(config)
    wanted = DuplicateFilter(acd_event_id=event, ticket_number=ticket, since=milliseconds(since))
    if as_csv:
        _print_csv(at(path, partial(newest, limit=limit, wanted=wanted)))
        return
    found: list[RepeatedEvent] = at(path, partial(repeated_events, limit=limit, wanted=wanted))
    if json:
        for one in found:
            print_json(_as_json(one))
    else:
        print_table(_COLUMNS, [_row(one) for one in found], whole=("first_key",))


def _row(one: RepeatedEvent) -> tuple[object, ...]:
    last = one.each[0]
    return (
        one.acd_event_id,
        one.first_key,
        one.first_source,
        moment(one.first_at),
        one.repeats,
        moment(one.first_repeat_at),
        moment(one.last_repeat_at),
        ", ".join(sorted({repeat.source for repeat in one.each})),
        last.ticket_number,
        last.subject,
    )


def _as_json(one: RepeatedEvent) -> dict[str, Any]:
    fields = asdict(one)
    times = ("first_at", "first_repeat_at", "last_repeat_at")
    each = [_repeat(repeat) for repeat in one.each]
    return fields | {name: moment(fields[name]) for name in times} | {"each": each}


def _repeat(one: Duplicate) -> dict[str, Any]:
    fields = asdict(one) | {"at": moment(one.at), "first_at": moment(one.first_at)}
    return {column: fields[column] for column in _CSV_COLUMNS}


def _print_csv(found: Iterable[Duplicate]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    writer.writerows([_safe_cell(value) for value in _repeat(one).values()] for one in found)


def _safe_cell(value: object) -> object:
    """A subject that begins like a formula must not run in somebody's spreadsheet."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
