"""`acd-bridge mailbox ...`: one mailbox of the configuration."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    fail,
    load_or_exit,
    print_json,
    printable,
    run_async,
)
from bridge.config.mailbox import Mailbox
from bridge.config.model import Config
from bridge.errors import BridgeError

app = typer.Typer(help="Try a mailbox, and take in its old mail.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The mailbox's name in the configuration.")]


def register(root: typer.Typer) -> None:
    """Add the commands of this file."""
    root.add_typer(app, name="mailbox")


@app.command("test")
def try_mailbox(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    as_json: JsonOption = False,
) -> None:
    """Go the whole way to the mailbox: name, TCP, TLS, capabilities, sign-in, folders, IDLE. Changes nothing.

    It ends at the first step that fails, with what is wrong and what to do; exit code 69 then.
    """
    settings = load_or_exit(config)
    steps = run_async(_walk(settings, mailbox_or_exit(settings, name), as_json=as_json))
    failed = steps[-1].problem
    if as_json:
        print_json({"mailbox": name, "ok": failed is None, "steps": [_as_object(step) for step in steps]})
    if failed is not None:
        fail(BridgeError(f"{failed.key}: {failed.what}", hint=failed.hint), EXIT_UNAVAILABLE)


async def _walk(settings: Config, mailbox: Mailbox, *, as_json: bool) -> list[Any]:
    # The clients of IMAP and HTTP are large; other commands of this group do without.
    from bridge.intake.imap.diagnose import diagnose  # noqa: PLC0415 - as above
    from bridge.ledger.refresh_tokens import visiting  # noqa: PLC0415 - as above

    steps = []
    async for step in diagnose(mailbox, visiting(settings.state.path)):
        steps.append(step)
        if not as_json:
            print_step(step.name, step.what, step.seconds, good=step.problem is None)
    return steps


def print_step(name: str, what: str, seconds: float | None, *, good: bool) -> None:
    """One line, as soon as it is known; a step may take as long as the mailbox's timeout."""
    took = "" if seconds is None else f" ({seconds * 1000:.0f} ms)"
    line = f"{'ok' if good else 'failed':7} {name:14} {what}{took}"
    sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()


def mailbox_or_exit(settings: Config, name: str) -> Mailbox:
    """The mailbox of this name, or exit code 64 with the names that there are."""
    found = next((mailbox for mailbox in settings.mailbox if mailbox.name == name), None)
    if found is None:
        known = ", ".join(repr(mailbox.name) for mailbox in settings.mailbox)
        hint = f"the configuration has {known or 'no mailbox'}"
        fail(BridgeError(f"there is no mailbox {name!r}", hint=hint), EXIT_USAGE)
    return found


def _as_object(step: Any) -> dict[str, Any]:
    return asdict(step) | {"ok": step.problem is None}
