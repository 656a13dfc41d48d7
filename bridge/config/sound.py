"""What of a configuration is sound although something in it is wrong: the rest is checked all the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bridge.config.model import Config
from bridge.errors import Problem

LISTS = frozenset({"mailbox", "webhook", "route"})
STAND_IN = {"url": "https://acd.invalid", "clients_id": 1, "token": "none"}
"""In place of a table [acd] that is wrong, so that the others can be looked at."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What can be looked at further, and what is known to be wrong by then."""

    config: Config | None
    """None where too little is left."""
    problems: list[Problem]
    left_out: frozenset[str] = frozenset()
    """Tables that were wrong: what stands in their place says nothing."""

    def concerns(self, problem: Problem) -> bool:
        """Whether a problem of `config` is one of the file."""
        return problem.key.partition(".")[0] not in self.left_out


def sound_part(raw: Mapping[str, Any], error: ValidationError, problems: list[Problem]) -> Sound:
    """The file without the entries of lists, the keys and the tables that are wrong."""
    rest = {key: list(value) if isinstance(value, list) else value for key, value in raw.items()}
    left_out = {table for fault in error.errors() if (table := _leave_out(rest, fault["loc"], fault["type"]))}
    for key in LISTS & rest.keys():
        rest[key] = [entry for entry in rest[key] if entry is not None]
    try:
        return Sound(Config.model_validate(rest), problems, frozenset(left_out))
    except ValidationError:
        return Sound(None, problems)


def _leave_out(rest: dict[str, Any], location: tuple[int | str, ...], kind: str) -> str:
    """Take out what is wrong at this place; the name of the table where that is a whole one."""
    table = str(location[0]) if location else ""
    match location:
        case (_, int(index), *_) if table in LISTS:
            rest[table][index] = None
        case (_, str(key)) if kind == "extra_forbidden" and isinstance(rest.get(table), dict):
            rest[table] = {name: value for name, value in rest[table].items() if name != key}
        case _:
            rest.pop(table, None)
            if table == "acd":
                rest["acd"] = STAND_IN
            return table
    return ""
