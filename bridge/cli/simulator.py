"""`acd-bridge simulator`: a simulated ACD to try the bridge with."""

import asyncio
import signal
from dataclasses import replace
from typing import Annotated

import typer
import uvloop

from bridge.acd.simulator import Settings, Simulator
from bridge.acd.simulator.settings import GROUPS, MATCHABLE
from bridge.cli.common import EXIT_UNAVAILABLE, fail
from bridge.config.values import Address
from bridge.errors import BridgeError


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("simulator")(simulator_command)


def simulator_command(
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:8443",
    token: Annotated[str, typer.Option(help="The token that clients must send.")] = "simulator",  # noqa: S107 - of a fake
    clients_id: Annotated[int, typer.Option(min=1, help="The ClientsID of its client account.")] = 1,
    duplicates: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP[=FIELD,...]",
            help="A group without duplicate events, and the fields by which events are the same.",
        ),
    ] = None,
    purge_after: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds of age after which events are purged; without it, never."),
    ] = None,
) -> None:
    """Run a simulated ACD until it is stopped (SIGINT or SIGTERM)."""
    settings = Settings(token=token, clients_id=clients_id, purge_after=purge_after)
    if duplicates:
        settings = replace(settings, duplicates=dict(read_rule(rule) for rule in duplicates))
    address = _address(listen)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, address))


def read_rule(text: str) -> tuple[str, tuple[str, ...]]:
    """A group and its fields of `GROUP` or `GROUP=FIELD,FIELD`. Raises typer.BadParameter."""
    group, _, fields = text.partition("=")
    if group not in GROUPS:
        raise typer.BadParameter(f"there is no group {group!r}; there are {', '.join(GROUPS)}")
    named = tuple(field.strip() for field in fields.split(",") if field.strip())
    unknown = [field for field in named if field not in MATCHABLE]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of the fields {', '.join(sorted(MATCHABLE))}")
    return group, named


def _address(text: str) -> Address:
    try:
        return Address.model_validate(text)
    except ValueError as error:
        raise typer.BadParameter("--listen must be HOST:PORT, such as 127.0.0.1:8443") from error


async def _serve(settings: Settings, address: Address) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        simulator = await Simulator.start(settings, host=address.host, port=address.port)
    except OSError as error:
        fail(
            BridgeError(
                f"cannot listen on {address}: {error.strerror or error}", hint="choose another --listen"
            ),
            EXIT_UNAVAILABLE,
        )
    typer.echo(
        f"simulated ACD: url {simulator.url} clients_id {settings.clients_id} control {simulator.url}/_sim/"
    )
    await stopped.wait()
    await simulator.close()
