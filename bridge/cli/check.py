"""`acd-bridge check`: every problem of the configuration at once."""

from pathlib import Path
from typing import Annotated

import typer

from bridge.check import given_by_the_service_manager, online_problems, problems
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_CONFIG,
    ConfigOption,
    JsonOption,
    print_json,
    run_async,
    say,
)
from bridge.config.load import load_config
from bridge.config.model import Config
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
    """Check the configuration file, its routes and its secrets. Exit code 78 where something is wrong."""
    try:
        settings = load_config(config)
    except ConfigError as error:
        _finish(config, None, error.problems, [], as_json=as_json)
        return
    given = given_by_the_service_manager(settings)
    found = problems(settings)
    unchecked = [problem for problem in found if problem.key in given]
    wrong = [problem for problem in found if problem.key not in given]
    if online:
        wrong += run_async(online_problems(settings))
    _finish(config, settings, wrong, unchecked, as_json=as_json)


def _finish(
    file: Path, settings: Config | None, wrong: list[Problem], unchecked: list[Problem], *, as_json: bool
) -> None:
    if as_json:
        print_json({
            "file": str(file),
            "ok": not wrong,
            "problems": [_as_object(problem) for problem in wrong],
            "not_checked": [_as_object(problem) for problem in unchecked],
        })  # fmt: skip
    for problem in unchecked:
        say(f"not checked: {problem.key}: the service manager gives it when the service starts")
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


def _as_object(problem: Problem) -> dict[str, str]:
    return {"key": problem.key, "what": problem.what, "hint": problem.hint}
