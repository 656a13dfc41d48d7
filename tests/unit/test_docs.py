"""The documentation names everything that there is, and the generated pages are what the code says."""

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from bridge.config.model import Config
from bridge.config.reference import reference as configuration_page
from bridge.config.secret import Secret
from bridge.config.values import Address
from bridge.ledger.follow_ups import FollowUpOutcome
from bridge.ledger.notices import NoticeOutcome
from bridge.ledger.state import ItemState
from bridge.reason import Reason
from docs import reference

DOCS = Path(__file__).parents[2] / "docs"


def headings(page: str) -> set[str]:
    """The headings of a page; of those that are code, the code."""
    found = re.findall(r"^#{2,4} +(.+?) *$", (DOCS / page).read_text(), re.MULTILINE)
    return {heading.strip("`") for heading in found}


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of the configuration file, such as `acd.token` and `mailbox.after_delivery.action`."""
    for name, field in model.model_fields.items():
        inner = list(tables_in(field.annotation))
        if not (inner and not above):
            yield f"{above}{name}"
        for table in inner:
            yield from keys(table, f"{above}{name}.")


def tables_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The tables that a key's type holds, also in `tuple[...]` and `... | None`; secrets are values."""
    parts = typing.get_args(annotation)
    if not parts and inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Secret | Address):
            yield annotation
        return
    for part in parts:
        yield from tables_in(part)


def test_the_walk_finds_keys_of_every_depth() -> None:
    """The check below looks at top tables, lists of tables, tables in tables and optional tables."""
    found = set(keys(Config))
    assert {
        "acd.token",
        "acd.paths.statuses",
        "mailbox.after_delivery.action",
        "webhook.basic.password",
    } <= found
    assert {"route.event.type", "listen.admin", "state.path"} <= found
    assert "acd" not in found


@pytest.mark.parametrize("key", list(keys(Config)))
def test_every_key_of_the_configuration_has_its_heading(key: str) -> None:
    """An operator finds each key of bridge.toml in docs/configuration.md."""
    assert key in headings("configuration.md")


@pytest.mark.parametrize("state", list(ItemState))
def test_every_state_has_its_heading(state: ItemState) -> None:
    """Each state that an item can be in is explained."""
    assert state.value in headings("states.md")


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason])
def test_every_reason_has_its_heading(reason: Reason) -> None:
    """Each reason that a log line, metric or page can name is explained."""
    assert reason.value in headings("reasons.md")


@pytest.mark.parametrize("outcome", [*FollowUpOutcome, *NoticeOutcome])
def test_every_outcome_of_a_follow_up_is_explained(outcome: str) -> None:
    """Each way in which the following of an event, or a notice, can end is on its page."""
    assert f"`{outcome}`" in (DOCS / "follow-up.md").read_text()


@pytest.mark.parametrize("command", [command.name for command in reference.commands()])
def test_every_command_has_its_heading(command: str) -> None:
    """Each command of the command line is explained."""
    assert command in headings("commands.md")


@pytest.mark.parametrize("metric", reference.metric_names())
def test_every_metric_has_its_heading(metric: str) -> None:
    """Each metric is explained."""
    assert metric in headings("metrics.md")


@pytest.mark.parametrize("page", ["configuration.md", "reasons.md", "states.md", "commands.md", "metrics.md"])
def test_generated_pages_are_what_the_code_says(page: str) -> None:
    """A change of the code that is not in the page fails here; `make docs` writes it."""
    written = (DOCS / page).read_text().strip()
    assert written == {"configuration.md": configuration_page(), **reference.pages()}[page].strip()


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    """A link to another page of the documentation, or a file of the project, leads to one that exists."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", (DOCS / page).read_text())
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_operations_name_only_commands_that_exist() -> None:
    """Each call of acd-bridge in the operator's page is a command of the program."""
    known = {command.name for command in reference.commands()}
    spans = re.findall(r"`([^`\n]+)`", page_of_operations())
    calls = [found[1] for span in spans if (found := re.match(r"(acd-bridge(?: [a-z]+)+)", span))]
    assert calls
    assert [call for call in calls if call not in known] == []


def page_of_operations() -> str:
    return (DOCS / "operations.md").read_text()


LEFTOVER = re.compile(r"^\s*[A-Z]{3,}\s*$", re.MULTILINE)


@pytest.mark.parametrize(
    "page",
    sorted(str(path.relative_to(DOCS.parent)) for path in (*DOCS.glob("*.md"), *DOCS.parent.glob("*.md"))),
)
def test_no_mark_waits_to_be_filled(page: str) -> None:
    """A line of capital letters alone is a place that somebody meant to fill, and no page is given out with one."""
    assert LEFTOVER.findall((DOCS.parent / page).read_text()) == []


def test_marks_are_told_from_words() -> None:
    """A word alone in capitals is found; one within a sentence, and a heading, are not."""
    assert LEFTOVER.findall("Text.\n\nFIGURES\n") != []
    assert LEFTOVER.findall("# FIGURES\nThe ACD answers UPDATED.\nOK\n") == []


def test_a_member_without_a_meaning_is_refused(tmp_path: Path) -> None:
    """An enum's member without its `#:` comment makes no page with a hole, but an error."""
    file = tmp_path / "colour.py"
    file.write_text('class Colour:\n    RED = "red"  #: like blood\n    BLUE = "blue"\n')
    with pytest.raises(ValueError, match="BLUE has no comment"):
        reference.members(file, "Colour")
