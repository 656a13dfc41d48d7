"""The command line: parses, calls, prints."""

import sys
from typing import Annotated

import typer

from bridge import __version__
from bridge.cli import acd, audit, backfill, check, demo, explain, items, mailbox, run, simulator, status
from bridge.cli import map as map_files
from bridge.cli.common import JsonOption, print_json

app = typer.Typer(
    name="acd-bridge",
    help="Turns shared mailboxes and helpdesk webhooks into AcdEvents of a contact centre's ACD.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for commands in (
    run,
    check,
    demo,
    map_files,
    status,
    items,
    explain,
    mailbox,
    backfill,
    acd,
    simulator,
    audit,
):
    commands.register(app)


@app.command("version")
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


@app.callback()
def _options(*, show_version: VersionOption = False) -> None:
    """Options before any command; each acts by its callback."""


def main() -> None:
    """The command `acd-bridge`."""
    app()


__all__ = ["app", "main"]
