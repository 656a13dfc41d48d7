"""`acd-bridge acd ...`: the ACD's whole API from the command line."""

import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from bridge.acd.client import AcdClient
from bridge.acd.failure import AcdFailure, AcdNotFound
from bridge.acd.record import DiallerCampaign, Record
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_UNAVAILABLE,
    ConfigOption,
    JsonOption,
    YesOption,
    fail,
    load_or_exit,
    print_json,
    print_table,
    run_async,
    say,
)
from bridge.config.acd import Acd
from bridge.errors import AcdError, BridgeError

T = TypeVar("T")
NameOption = Annotated[
    str | None, typer.Option("--name", "-n", help="Only those whose names hold this text.")
]
IdOption = Annotated[int | None, typer.Option("--id", min=1, help="Only the one with this ID.")]
CampaignId = Annotated[int, typer.Argument(min=1, help="The campaign's ID.", metavar="ID")]

_SHORT_TEXTS = ("ID", "ShortText")
_NAMED = ("ID", "Name")
_EVENTS = (
    "ID",
    "dtCreated",
    "AcdEventTypesID",
    "AcdEventStatusID",
    "AcdGroupsID",
    "Sender",
    "Subject",
    "UserData",
)

acd_commands = typer.Typer(help="Ask the ACD through its API.", no_args_is_help=True)
campaign_commands = typer.Typer(help="The dialler's campaigns.", no_args_is_help=True)
acd_commands.add_typer(campaign_commands, name="campaigns")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(acd_commands, name="acd")


@acd_commands.command("types")
def types_command(config: ConfigOption = DEFAULT_CONFIG, *, json: JsonOption = False) -> None:
    """List the event types."""
    _show(_ask(config, lambda acd: acd.event_types()), _SHORT_TEXTS, json=json)


@acd_commands.command("statuses")
def statuses_command(config: ConfigOption = DEFAULT_CONFIG, *, json: JsonOption = False) -> None:
    """List the states of events."""
    _show(_ask(config, lambda acd: acd.event_statuses()), _SHORT_TEXTS, json=json)


@acd_commands.command("groups")
def groups_command(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    name: NameOption = None,
    number: IdOption = None,
    json: JsonOption = False,
) -> None:
    """List the groups, or those of a name, or the one of an ID."""
    if number is not None:
        _show([_ask(config, lambda acd: acd.group(number))], _NAMED, json=json)
    elif name is not None:
        _show(_ask(config, lambda acd: acd.groups_named(name)), _NAMED, json=json)
    else:
        _show(_ask(config, lambda acd: acd.groups()), _NAMED, json=json)


@acd_commands.command("events")
def events_command(
    config: ConfigOption = DEFAULT_CONFIG, *, number: IdOption = None, json: JsonOption = False
) -> None:
    """List all events, or show the one of an ID. The list is always everything, so it may take long."""
    if number is not None:
        _show([_ask(config, lambda acd: acd.event(number))], _EVENTS, json=json)
    else:
        _show(_ask(config, lambda acd: acd.events()), _EVENTS, json=json)


@campaign_commands.command("list")
def campaigns_command(config: ConfigOption = DEFAULT_CONFIG, *, json: JsonOption = False) -> None:
    """List all campaigns."""
    _show(_ask(config, lambda acd: acd.campaigns()), _NAMED, json=json)


@campaign_commands.command("show")
def campaign_command(
    number: CampaignId, config: ConfigOption = DEFAULT_CONFIG, *, json: JsonOption = False
) -> None:
    """Show one campaign with all its fields."""
    _show_fields(_ask(config, lambda acd: acd.campaign(number)), json=json)


@campaign_commands.command("named")
def campaigns_named_command(
    name: Annotated[str, typer.Argument(help="A text that the names hold.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    json: JsonOption = False,
) -> None:
    """List the campaigns whose names hold a text."""
    _show(_ask(config, lambda acd: acd.campaigns_named(name)), _NAMED, json=json)


@campaign_commands.command("result-codes")
def result_codes_command(
    number: CampaignId,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    language: Annotated[int, typer.Option(min=1, help="1 English, 2 German.")] = 1,
    json: JsonOption = False,
) -> None:
    """List a campaign's result codes."""
    codes = _ask(config, lambda acd: acd.result_codes(number, language))
    columns = list(codes[0].as_json()) if codes else ["ID"]
    _show(codes, columns, json=json)


@campaign_commands.command("clone")
def clone_command(
    source: Annotated[str, typer.Argument(help="The name of the campaign to copy.")],
    destination: Annotated[str, typer.Argument(help="The name of the new campaign.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    user_data: Annotated[str | None, typer.Option(help="The new campaign's UserData.")] = None,
    json: JsonOption = False,
) -> None:
    """Copy a campaign, all but its contacts."""
    _show([_ask(config, lambda acd: acd.clone_campaign(source, destination, user_data))], _NAMED, json=json)


@campaign_commands.command("delete")
def delete_command(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    number: Annotated[int | None, typer.Option("--id", min=1, help="The campaign's ID.")] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="The campaign's exact name.")] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a campaign with all its data. It cannot be undone, so it asks first."""
    if (number is None) == (name is None):
        raise typer.BadParameter("give either --id or --name")
    campaign = _ask(config, lambda acd: _campaign_to_delete(acd, number, name))
    _confirm(f"Delete campaign {campaign.name!r} with all its data?", yes=yes)
    if number is not None:
        _ask(config, lambda acd: acd.delete_campaign(number))
    else:
        _ask(config, lambda acd: acd.delete_campaign_named(campaign.name))
    if json:
        print_json({"deleted": campaign.as_json()})
    else:
        say(f"deleted campaign {campaign.name!r}")


async def _campaign_to_delete(acd: AcdClient, number: int | None, name: str | None) -> DiallerCampaign:
    """What would be deleted. A name that other campaigns' names hold too is not deleted by name.

    The documentation says that names match partly when looking up and is silent about deleting.
    """
    if name is None:
        return await acd.campaign(number or 0)
    matching = await acd.campaigns_named(name)
    exact = [campaign for campaign in matching if campaign.name == name]
    if not exact:
        raise AcdError(
            f"there is no campaign named {name!r}", hint="`acd-bridge acd campaigns list` shows all"
        )
    if len(matching) > 1:
        raise AcdError(
            f"the names of {len(matching)} campaigns hold {name!r}, and the ACD may match names partly",
            hint=f"delete by ID: --id {exact[0].id}",
        )
    return exact[0]


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        fail(BridgeError("deleting needs an answer, and there is no terminal to ask on", hint="add --yes"))
    typer.confirm(question, abort=True, err=True)


def _ask(path: Path, work: Callable[[AcdClient], Awaitable[T]]) -> T:
    """Open the configured ACD, ask it, and end with the right exit code where that fails."""
    return run_async(_asked(load_or_exit(path).acd, work))


async def _asked(config: Acd, work: Callable[[AcdClient], Awaitable[T]]) -> T:
    try:
        async with AcdClient(config, token=config.token.reveal) as acd:
            return await work(acd)
    except AcdNotFound:
        raise
    except AcdFailure as error:
        fail(error, EXIT_UNAVAILABLE)


def _show(records: Sequence[Record], columns: Iterable[str], *, json: bool) -> None:
    documents = [record.as_json() for record in records]
    if json:
        print_json(documents)
        return
    names = list(columns)
    print_table(names, ([document.get(name) for name in names] for document in documents))


def _show_fields(record: Record, *, json: bool) -> None:
    document = record.as_json()
    if json:
        print_json(document)
    else:
        print_table(("field", "value"), sorted(document.items()))
