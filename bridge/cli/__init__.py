"""The command line: parses, calls, prints."""

import sys

import typer

from bridge import __version__
from bridge.cli import acd, check, demo, items, run, simulator, status
from bridge.cli import map as map_files

app = typer.Typer(
    name="acd-bridge",
    help="Turns shared mailboxes and helpdesk webhooks into AcdEvents of a contact centre's ACD.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for commands in (run, check, demo, map_files, status, items, acd, simulator):
    commands.register(app)


@app.command("version")
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"acd-bridge {__version__}\n")


def main() -> None:
    """The command `acd-bridge`."""
    app()


__all__ = ["app", "main"]
