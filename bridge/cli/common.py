"""What every command shares: where the configuration is, how results and errors are printed, exit codes."""

import asyncio
import os
import re
import sys
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer

from bridge.config.load import load_config
from bridge.config.model import Config
from bridge.errors import BridgeError, ConfigError, ImapError, StateFileError

DEFAULT_CONFIG = Path("/etc/acd-bridge/bridge.toml")

EXIT_FAILED = 1
EXIT_USAGE = 64  # sysexits.h EX_USAGE
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE: a server that was asked is not there
EXIT_STATE = 74  # EX_IOERR: the state file
EXIT_CONFIG = 78  # EX_CONFIG; systemd does not restart on it

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="ACD_BRIDGE_CONFIG", help="The configuration file.", show_default=True
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

MAX_NUMBER = 2**63 - 1
"""The largest number that the state file can be asked about."""

_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}\+00:00$", re.ASCII)
"""As `moment` writes it. Its longest word is too long for a column of a usual terminal."""

T = TypeVar("T")


def load_or_exit(path: Path) -> Config:
    """The configuration, or exit code 78 with every problem on stderr."""
    try:
        return load_config(path)
    except ConfigError as error:
        fail(error, EXIT_CONFIG)


def fail(error: BridgeError, code: int = EXIT_FAILED) -> NoReturn:
    """Say on stderr what happened and what to do, and end with this exit code."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")
    raise typer.Exit(code)


def state_path(config: Path) -> Path:
    """Where the state file of this configuration is."""
    return load_or_exit(config).state.path


def say(words: str) -> None:
    """Words for people, on stderr."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def ask(question: str, *, yes: bool) -> None:
    """Ask before something is done; without a terminal and `--yes`, exit code 64."""
    if yes:
        return
    if not sys.stdin.isatty():
        say("error: this asks first; without a terminal give --yes")
        raise typer.Exit(EXIT_USAGE)
    typer.confirm(question, abort=True, err=True)


def count(number: int, what: str = "item") -> str:
    """So many of them, in words."""
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def moment(milliseconds: int | None) -> str | None:
    """A stored time in ISO 8601, UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def print_json(value: Any) -> None:
    """One JSON document and a line end, on stdout."""
    try:
        document = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)
    except orjson.JSONEncodeError:  # such as a path that is no text (os.fsdecode)
        document = orjson.dumps(plain(value))
    sys.stdout.write(document.decode() + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """The value as orjson takes it: without lone surrogates and whole numbers of more than 64 bits."""
    if isinstance(value, str):
        return value if value.isprintable() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, whole: Collection[str] = ()
) -> None:
    """A table on a terminal; tab-separated lines elsewhere, so that other programs can read them.

    The columns of `whole` are not wrapped on a narrow terminal, since they are to be copied. The others are, and
    nothing is cut; there times are to the second.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(_cell(value) for value in row) + "\n")
        sys.stdout.flush()
        return
    # Only tables on a terminal need it, and it takes longer to load than most commands take to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415 - as above

    heads = (Column(name, no_wrap=name in whole, overflow="fold") for name in columns)
    table = Table(*heads, header_style="bold", box=None)
    for row in rows:
        table.add_row(*(_MOMENT.sub(r"\1 \2Z", _cell(value)) for value in row))
    Console(no_color="NO_COLOR" in os.environ, emoji=False).print(table, markup=False)


def _cell(value: Any) -> str:
    return printable("" if value is None else str(value))


def printable(text: str) -> str:
    """The text on one line; a hostile subject or a server's words must not steer the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; a BridgeError ends the command with its words and the exit code of its kind."""
    try:
        return asyncio.run(work)
    except ConfigError as error:
        fail(error, EXIT_CONFIG)
    except StateFileError as error:
        fail(error, EXIT_STATE)
    except ImapError as error:
        fail(error, EXIT_UNAVAILABLE)
    except BridgeError as error:
        fail(error)
