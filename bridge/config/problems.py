"""What the models found wrong, in the file's own words: the key's path, what is wrong, what to do."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.config.model import Config
from bridge.config.secret import Secret
from bridge.config.tables import field_at, homes_of, keys_of, table_at, table_of
from bridge.config.words import TYPE_WORDS, words_for
from bridge.errors import Problem

Location = tuple[int | str, ...]


def problems_of(error: ValidationError, raw: Mapping[str, Any]) -> list[Problem]:
    """One problem a key, in the order of the models. `raw` is the file as it was parsed."""
    faults: dict[Location, list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        if not _counts_what_is_wrong_itself(fault, raw):
            faults.setdefault(_location(fault, raw), []).append(fault)
    return [_problem(location, found, raw) for location, found in faults.items()]


def key_path(location: Location, raw: Any) -> str:
    """The path as people write it, such as `mailbox[support].port`; entries of lists go by their name."""
    path, here = "", raw
    for part in location:
        here = _below(here, part)
        path += f"[{_entry_name(here, part)}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".") or "file"


def _location(fault: ErrorDetails, raw: Any) -> Location:
    """Without the parts that are not in the file, such as pydantic's names of a union's members."""
    there = tuple(_existing(fault["loc"], raw))
    return (*there, fault["loc"][-1]) if fault["type"] == "missing" else there


def _existing(location: Location, raw: Any) -> Iterator[int | str]:
    here = raw
    for part in location:
        here = _below(here, part)
        if here is None:
            return
        yield part


def _below(here: Any, part: int | str) -> Any:
    """The entry of a table or list; None, which TOML does not have, where there is none."""
    if isinstance(here, dict):
        return here.get(part)
    return here[part] if isinstance(here, list) and isinstance(part, int) and part < len(here) else None


def _value_at(location: Location, raw: Any) -> Any:
    here = raw
    for part in location:
        here = _below(here, part)
    return here


def _entry_name(entry: Any, index: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name.isprintable() and name else str(index)


def _counts_what_is_wrong_itself(fault: ErrorDetails, raw: Any) -> bool:
    """A list is also called too short where its entries are wrong; each of those has its own problem."""
    given = _value_at(fault["loc"], raw)
    return fault["type"] == "too_short" and isinstance(given, list) and len(given) > 0


def _problem(location: Location, faults: list[ErrorDetails], raw: Mapping[str, Any]) -> Problem:
    key, first = key_path(location, raw), faults[0]
    if first["type"] == "extra_forbidden":
        return _unknown_key(key, location)
    field = field_at(Config, location)
    if first["type"] == "missing":
        return Problem(key, "is missing", _how_to_add(location, field))
    given = _value_at(location, raw)
    if first["type"] == "tuple_type" and isinstance(given, dict):
        return Problem(key, "must be a list of tables", f"write its head with two brackets: [[{key}]]")
    return Problem(key, _what(faults, given), _meaning(field))


def _what(faults: list[ErrorDetails], given: Any) -> str:
    """A union's members each say what they take; what else is wrong says more than a type."""
    told = next((fault for fault in faults if fault["type"] not in TYPE_WORDS), None)
    if told is not None:
        return words_for(told, given)
    return f"must be {' or '.join(dict.fromkeys(TYPE_WORDS[fault['type']] for fault in faults))}"


def _unknown_key(key: str, location: Location) -> Problem:
    """The nearest key of this table, else the table that the key belongs to, else all that are known here."""
    name, known = str(location[-1]), keys_of(table_at(Config, location[:-1]))
    if near := get_close_matches(name, known, n=1):
        return Problem(key, "unknown key", f"did you mean {near[0]!r}?")
    if homes := homes_of(Config, name):
        return Problem(key, "unknown key", f"it belongs to {' or '.join(homes)}")
    return Problem(key, "unknown key", f"known here: {', '.join(known)}")


def _how_to_add(location: Location, field: FieldInfo | None) -> str:
    name = location[-1]
    if location == ("acd",):
        return "add a table [acd] with url, clients_id and token"
    if location == ("route",):
        return "add at least one [[route]]"
    return f"add `{name} = ...`: {_meaning(field)}"


def _meaning(field: FieldInfo | None) -> str:
    """What the key is for. A table's rule across its keys speaks for itself."""
    if field is None or table_of(field.annotation) not in {None, Secret}:
        return ""
    return field.description or ""
