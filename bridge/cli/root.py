"""Which file each command is in, and the command line that is made of them."""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from bridge import __version__
from bridge.cli.common import JsonOption, print_json

FILES = {
    "run": ("run",),
    "check": ("check",),
    "demo": ("demo",),
    "map": ("map",),
    "status": ("status",),
    "duplicates": ("duplicates",),
    "items": ("items", "decide"),
    "explain": ("explain",),
    "mailbox": ("mailbox", "backfill"),
    "acd": ("acd",),
    "simulator": ("simulator",),
    "audit": ("audit",),
    "state": ("state",),
}
"""For the first word of a command line, the files of this folder that hold it, in the order of the help."""


def command_line(commands: Iterable[str]) -> typer.Typer:
    """A command line of these commands."""
    root = typer.Typer(
        name="acd-bridge",
        help="Turns shared mailboxes and helpdesk webhooks into AcdEvents of a contact centre's ACD.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        callback=_options,
    )
    for file in dict.fromkeys(file for command in commands for file in FILES[command]):
        import_module(f"bridge.cli.{file}").register(root)
    root.command("version")(version)
    return root


def version(*, json: JsonOption = False) -> None:
    """Print the version."""
    if json:
        print_json({"version": __version__})
    else:
        sys.stdout.write(f"acd-bridge {__version__}\n")


def _version_and_exit(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        version()
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_version_and_exit, is_eager=True, help="Print the version."),
]


def _options(*, show_version: VersionOption = False) -> None:
    """Options before any command; each acts by its callback."""
