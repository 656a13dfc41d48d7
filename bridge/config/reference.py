"""The page docs/configuration.md, made from the models. `python -m bridge.config.reference` prints it."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, IPvAnyNetwork
from pydantic.fields import FieldInfo

from bridge.config.duration import parse_seconds
from bridge.config.model import Config
from bridge.config.secret import Secret
from bridge.config.start import parse_start
from bridge.config.tables import is_list, keys_of, table_of
from bridge.config.values import Address, hook_url, http_url, known_zone, safe_url

HEAD = """\
# Configuration

One file in [TOML](https://toml.io): `/etc/acd-bridge/bridge.toml`, or the one that `--config` or
`$ACD_BRIDGE_CONFIG` names. `config/bridge.toml` is an example with comments. Unknown keys are errors.
`acd-bridge check` names everything that is wrong at once, and `check --online` asks the servers too.

This page is made from the program; `python -m bridge.config.reference` prints it.

## Values

### Secrets

A secret is a text in quotes, or better a table that names its place: `{ credential = "NAME" }` for a
credential of systemd (`LoadCredential=`), `{ file = "PATH" }` for a file that holds nothing else, or
`{ env = "NAME" }` for an environment variable. It is read when it is used, so a rotated one is seen by the
next sign-in.

### Durations

A number is seconds. A text may have a unit: `"90s"`, `"10m"`, `"12h"`, `"5d"`, `"2w"`.
"""

_PLAIN: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    date: "date",
    Path: "path",
    Secret: "secret",
    Address: "HOST:PORT",
    IPvAnyNetwork: "network",
}
_CHECKED: dict[Any, str] = {
    parse_seconds: "duration",
    http_url: "http(s) address",
    safe_url: "https address",
    hook_url: "http(s) address",
    known_zone: "name of a time zone",
    parse_start: '`"now"`, `"all"`, `"unseen"` or a date',
}
"""Values that a function checks."""


def reference() -> str:
    """The whole page, in Markdown."""
    parts = [HEAD]
    for name, field in Config.model_fields.items():
        parts += _table_parts(name, field, "")
    return "\n".join(parts)


def _table_parts(name: str, field: FieldInfo, at: str) -> Iterator[str]:
    table = table_of(field.annotation)
    if table is None:
        return
    path = f"{at}.{name}" if at else name
    head = f"[[{path}]]" if is_list(field.annotation) else f"[{path}]"
    yield f"## `{head}`\n\n{_first_line(table, field)}\n"
    entries = {key: table.model_fields[key] for key in keys_of(table)}
    for key, entry in entries.items():
        yield _entry(f"{path}.{key}", entry)
    for key, entry in entries.items():
        if table_of(entry.annotation) is not Secret:
            yield from _table_parts(key, entry, path)


def _first_line(table: type[BaseModel], field: FieldInfo) -> str:
    line = (table.__doc__ or "").strip().splitlines()[0]
    repeated = " Its head may stand any number of times." if is_list(field.annotation) else ""
    return line + repeated


def _entry(path: str, field: FieldInfo) -> str:
    facts = ", ".join([_kind(field.annotation, field.metadata), *_bounds(field)])
    return f"### {path}\n\n{field.description}\n\n- Value: {facts}\n- {_default(field)}\n"


def _kind(annotation: Any, marks: Sequence[Any] = ()) -> str:
    """What is written there, in words."""
    if get_origin(annotation) is Annotated:
        base, *inner = get_args(annotation)
        return _kind(base, inner)
    for mark in marks:
        if isinstance(mark, BeforeValidator | AfterValidator) and mark.func in _CHECKED:
            return _CHECKED[mark.func]
    return _PLAIN.get(annotation) or _kind_of_many(annotation)


def _kind_of_many(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{part}"`' for part in parts)
    if origin in {Union, UnionType}:
        return " or ".join(_kind(part) for part in parts if part is not NoneType)
    if origin is tuple:
        return f"list of {_kind(parts[0])}s"
    if origin is dict:
        return f"table of names, each with a {_kind(parts[1])}"
    return "table"


def _bounds(field: FieldInfo) -> Iterator[str]:
    for mark in field.metadata:
        match mark:
            case Ge(ge=bound) if bound != 0:
                yield f"at least {bound}"
            case Gt(gt=bound):
                yield f"more than {bound}"
            case Le(le=bound):
                yield f"at most {bound}"
            case MaxLen(max_length=bound):
                yield f"at most {bound} characters"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "Required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "Default: none" if value is None else f"Default: {_as_toml(value, field)}"


def _as_toml(value: Any, field: FieldInfo) -> str:
    if isinstance(value, BaseModel):
        return "as its keys below"
    if isinstance(value, float) and _kind(field.annotation, field.metadata) == "duration":
        return f"`{_duration(int(value))}`"
    if isinstance(value, tuple):
        return f"`{json.dumps(list(value))}`"
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value)}`"


def _duration(seconds: int) -> str:
    """Seconds, or whole hours and days where people would write those."""
    for unit, length in (("d", 86400), ("h", 3600)):
        if seconds >= length and seconds % length == 0:
            return f'"{seconds // length}{unit}"'
    return str(seconds)


if __name__ == "__main__":
    sys.stdout.write(reference())
