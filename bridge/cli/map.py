"""`acd-bridge map`: which event a mail or a webhook's body would become. Nothing is sent."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_CONFIG,
    EXIT_FAILED,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    fail,
    load_or_exit,
    plain,
    print_json,
    printable,
    say,
)
from bridge.errors import BridgeError, ConfigError
from bridge.mapping import Mapped, Mapper
from bridge.message import Message
from bridge.routing.decision import Verdict
from bridge.routing.variables import TYPES

MAX_FILE_BYTES = 64 * 1024 * 1024

Files = Annotated[
    list[Path], typer.Argument(help="Mails (.eml) and webhook bodies (JSON).", show_default=False)
]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="The mailbox or webhook that they came through.", show_default=False),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", help='A header of the webhook\'s request, "Name: value".', show_default=False),
]


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("map")(map_files)


def map_files(
    files: Files,
    config: ConfigOption = DEFAULT_CONFIG,
    source: SourceOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """Show which event each file would become, which route makes it, and why. Nothing is sent."""
    mapper = _mapper(config, source)
    headers = _headers(header or [])
    failed = False
    for file in files:
        try:
            mapped = mapper.map(_read(file), source=source, headers=headers, received_at=datetime.now(UTC))
        except BridgeError as error:
            failed = True
            _tell_failure(file, error, as_json=as_json)
            continue
        failed = failed or mapped.message is None
        if as_json:
            print_json(as_object(str(file), mapped))
        else:
            sys.stdout.write(as_words(str(file), mapped))
    if failed:
        raise typer.Exit(EXIT_FAILED)


def as_object(file: str, mapped: Mapped) -> dict[str, Any]:
    """What `--json` prints for a file."""
    return {
        "file": file,
        "route": mapped.route,
        "event": mapped.posted,
        "message": None if mapped.message is None else variables_as_json(mapped.message),
        "notes": [*_reasons(mapped), *mapped.notes],
    }


def as_words(file: str, mapped: Mapped) -> str:
    """What is printed for people."""
    lines = [file, *(f"  {reason}" for reason in _reasons(mapped))]
    if mapped.posted is not None:
        event = orjson.dumps(mapped.posted, option=orjson.OPT_INDENT_2).decode()
        lines += [f"  {line}" for line in event.splitlines()]
    lines += [f"  note: {note}" for note in mapped.notes]
    return "".join(f"{printable(line)}\n" for line in lines)


def variables_as_json(message: Message) -> dict[str, Any]:
    """Everything that routes see of a message."""
    return {name: plain(getattr(message, name)) for name in TYPES}


def _reasons(mapped: Mapped) -> list[str]:
    decision = mapped.decision
    if decision is None:
        return []
    tried = [f"route {name!r} does not match: {why}" for name, why in decision.tried]
    if decision.verdict is Verdict.EVENT:
        return [*tried, f"route {decision.route!r} matches"]
    return [*tried, f"{decision.reason}: {decision.detail}"]


def _tell_failure(file: Path, error: BridgeError, *, as_json: bool) -> None:
    say(f"{file}: {error}")
    if as_json:
        print_json({"file": str(file), "route": None, "event": None, "message": None, "notes": [str(error)]})


def _mapper(config: Path, source: str | None) -> Mapper:
    try:
        mapper = Mapper(load_or_exit(config), str(config))
    except ConfigError as error:
        fail(error, EXIT_CONFIG)
    if source is not None:
        try:
            mapper.check_source(source)
        except BridgeError as error:
            fail(error, EXIT_USAGE)
    return mapper


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BridgeError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise BridgeError(f"is larger than {MAX_FILE_BYTES} bytes")
    return content


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            fail(BridgeError(f"{line!r} is no header", hint='write --header "Name: value"'), EXIT_USAGE)
        headers.setdefault(name.strip(), value.strip())
    return headers
