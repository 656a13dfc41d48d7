"""`acd-bridge demo`: see it work, with nothing but this program."""

import asyncio
import sys
from typing import Annotated

import typer

from bridge.cli.common import fail
from bridge.errors import BridgeError
from bridge.service.logging import configure_logging


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("demo")(demo)


def demo(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long new messages come in.")] = 20,
) -> None:
    """Run a mail server, a helpdesk, an ACD and the bridge in this process, and watch what happens.

    New mails arrive by IDLE, a helpdesk posts signed webhooks, one ticket comes twice so that the ACD answers
    UPDATED, and the ACD fails for a while. Nothing leaves this machine. Exit code 0 when the account adds up.
    """
    from bridge.demo.show import perform  # noqa: PLC0415 - the demo's parts are an extra of the installation

    configure_logging("error")
    try:
        account = asyncio.run(perform(seconds))
    except BridgeError as error:
        fail(error)
    sys.stdout.write("\n" + "\n".join(account.lines()) + "\n")
    raise typer.Exit(0 if account.adds_up() else 1)
