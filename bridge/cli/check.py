"""`acd-bridge check`: every problem of the configuration at once."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from bridge.check import given_by_the_service_manager, not_asked, online_problems, whole_file
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_CONFIG,
    EXIT_UNAVAILABLE,
    ConfigOption,
    JsonOption,
    print_json,
    run_async,
    say,
)
from bridge.config.model import Config
from bridge.config.sound import Sound
from bridge.errors import ConfigError, Problem

OnlineOption = Annotated[bool, typer.Option("--online", help="Also sign in to the mail servers and the ACD.")]


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("check")(check)


def check(
    config: ConfigOption = DEFAULT_CONFIG,
    online: OnlineOption = False,  # noqa: FBT002 - typer gives it by name
    as_json: JsonOption = False,  # noqa: FBT002 - the same
) -> None:
    """Check the configuration file, its routes and its secrets. Exit code 78 where something is wrong.

    Exit code 69 where nothing is wrong but that a server could not be asked.
    """
    try:
        file = whole_file(config)
    except ConfigError as error:
        file = Sound(None, error.problems)
    if file.config is None:
        _finish(config, None, file.problems, [], as_json=as_json)
        return
    given = given_by_the_service_manager(file.config)
    unchecked = [
        replace(problem, what="the service manager gives it when the service starts", hint="")
        for problem in file.problems
        if problem.key in given
    ]
    wrong = [problem for problem in file.problems if problem.key not in given]
    if online:
        unchecked += not_asked(file.config, given)
        asked = run_async(online_problems(file.config, given))
        wrong += [problem for problem in asked if file.concerns(problem)]
    _finish(config, file.config, wrong, unchecked, as_json=as_json)


def _finish(
    file: Path, settings: Config | None, wrong: list[Problem], unchecked: list[Problem], *, as_json: bool
) -> None:
    if as_json:
        print_json({
            "file": str(file),
            "ok": not wrong,
            "problems": [asdict(problem) for problem in wrong],
            "not_checked": [asdict(problem) for problem in unchecked],
        })  # fmt: skip
    for problem in unchecked:
        say(f"not checked: {problem}")
    if wrong and all(problem.unreachable for problem in wrong):
        lines = "".join(f"\n  {problem}" for problem in wrong)
        say(f"error: {file}: nothing wrong was found, but not every server could be asked{lines}")
        raise typer.Exit(EXIT_UNAVAILABLE)
    if wrong:
        say(f"error: {ConfigError(str(file), wrong).message}")
        raise typer.Exit(EXIT_CONFIG)
    if settings is not None and not as_json:
        say(f"{file}: good: {summary(settings)}")


def summary(config: Config) -> str:
    """How much there is in the configuration, in words."""
    counts = (
        ("mailbox", "mailboxes", config.mailbox),
        ("webhook", "webhooks", config.webhook),
        ("route", "routes", config.route),
    )
    return ", ".join(f"{len(entries)} {one if len(entries) == 1 else many}" for one, many, entries in counts)
