# noqa: INP001 -- docs/ is a folder of pages, no package
"""Writes the pages of docs/ that are made from the code: reasons, states, commands and metrics.

    python -m docs.reference

tests/unit/test_docs.py fails where a page is not what this writes.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from prometheus_client.metrics import MetricWrapperBase

from bridge import metrics
from bridge.cli.commands import app
from bridge.ledger.state import DROPPABLE, OPEN, RELEASABLE, RETRYABLE, ItemState

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Made by `make docs`; change the code, not this page. -->\n"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enum, with the text behind its `#:`."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command, with its full name and typer's description of it."""

    name: str
    described: Any


def pages() -> dict[str, str]:
    """Every generated page, by its file's name in docs/."""
    return {
        "reasons.md": reasons_page(),
        "states.md": states_page(),
        "commands.md": commands_page(),
        "metrics.md": metrics_page(),
    }


def reasons_page() -> str:
    """What each reason means."""
    return _page(
        "Reasons",
        "Why something is as it is: the same word in the state file, the log, the metrics and on pages.",
        [f"## `{one.value}`\n\n{_sentence(one.meaning)}\n" for one in reasons() if one.value],
    )


def states_page() -> str:
    """What each state of an item means, and what an operator can do in it."""
    return _page(
        "States of an item",
        "Every message that was taken in is an item, and is in exactly one of these states. An open item\n"
        "keeps the later ones of its conversation waiting; a final state stays until an operator changes it.",
        [f"## `{one.value}`\n\n{_sentence(one.meaning)}\n\n{_use_of(one)}\n" for one in states()],
    )


def commands_page() -> str:
    """Each command, with its arguments and options."""
    return _page(
        "Commands",
        "Results go to stdout, words for people to stderr. Each command tells the same with `--help`.",
        [f"## `{one.name}`\n\n{_paragraphs(one.described.help)}{_parameters(one)}" for one in commands()],
    )


def metrics_page() -> str:
    """Each metric, with its type and labels."""
    return _page(
        "Metrics",
        "`/metrics` at the address `listen.admin`, in Prometheus' text format or, where Accept asks for it,\n"
        "in OpenMetrics. No address, key or ID is ever a label.",
        [
            f"## `{name}`\n\n{what}\n\nType: {kind}. Labels: {labels}.\n"
            for name, kind, what, labels in _metrics()
        ],
    )


def _page(title: str, introduction: str, sections: list[str]) -> str:
    return "\n".join([f"# {title}\n", NOTE, f"{introduction}\n", *sections])


def reasons() -> list[Member]:
    """Every reason, in the order of the code."""
    return members(ROOT / "bridge" / "reason.py", "Reason")


def states() -> list[Member]:
    """Every state of an item, in the order of the code."""
    return members(ROOT / "bridge" / "ledger" / "state.py", "ItemState")


def members(file: Path, enum: str) -> list[Member]:
    """The members of an enum in a file. Raises ValueError where one has no `#:` comment on its lines."""
    text = file.read_text()
    meanings = dict(_meanings(text))
    (body,) = [
        node.body for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == enum
    ]
    return [_member(node, meanings) for node in body if isinstance(node, ast.Assign)]


def commands() -> Iterator[Command]:
    """Every command that can be called, in the order of `--help`."""
    yield from _below("acd-bridge", typer.main.get_command(app))


def metric_names() -> list[str]:
    """Every metric's name as it is read from `/metrics`."""
    return [name for name, *_ in _metrics()]


def _meanings(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.string.startswith("#:"):
            yield token.start[0], token.string[2:].strip()


def _member(node: ast.Assign, meanings: dict[int, str]) -> Member:
    name, value = ast.unparse(node.targets[0]), ast.literal_eval(node.value)
    lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    meaning = " ".join(meanings[line] for line in lines if line in meanings)
    if not meaning:
        raise ValueError(f"{name} has no comment that begins with #: and says what it means")
    return Member(name, value, meaning)


def _use_of(one: Member) -> str:
    state = ItemState(one.value)
    possible = {"retry": RETRYABLE, "release": RELEASABLE, "drop": DROPPABLE}
    words = [word for word, states in possible.items() if state in states]
    calls = " or ".join(f"`acd-bridge items {word}`" for word in words)
    return f"{'Open' if state in OPEN else 'Final'}. " + (
        f"An operator may {calls}." if calls else "Nothing to do."
    )


def _below(name: str, described: Any) -> Iterator[Command]:
    inner = getattr(described, "commands", None)
    if inner is None:
        yield Command(name, described)
        return
    for word, one in inner.items():
        yield from _below(f"{name} {word}", one)


def _parameters(command: Command) -> str:
    rows = [_row(one) for one in command.described.params if not getattr(one, "hidden", False)]
    return "\n| | | |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _row(one: Any) -> str:
    argument = one.param_type_name == "argument"
    names = one.name.upper() + ("..." if one.nargs == -1 else "") if argument else ", ".join(one.opts)
    extras = ["required"] if one.required else []
    if not callable(one.default) and one.default not in (None, False, (), []) and not one.required:
        extras.append(f"default `{one.default}`")
    if one.envvar:
        extras.append(f"or `${one.envvar}`")
    return f"| `{names}` | {(one.help or '').replace('|', chr(92) + '|')} | {', '.join(extras)} |"


def _metrics() -> list[tuple[str, str, str, str]]:
    rows = []
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ", ".join(f"`{name}`" for name in metric._labelnames)  # noqa: SLF001 -- there is no other way to them
            rows.append((family.name + suffix, family.type, family.documentation, labels or "none"))
    return sorted(rows)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _paragraphs(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").splitlines()) + "\n"


if __name__ == "__main__":
    for file, content in pages().items():
        (ROOT / "docs" / file).write_text(content)
