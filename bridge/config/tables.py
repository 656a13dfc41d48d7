"""Finding one's way in the models: which table and which field a key's path means."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bridge.config.secret import Secret
from bridge.config.values import Table

Path = Sequence[int | str]


def table_of(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds, itself or as entries of a list; a secret may be written as one, too."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Table | Secret) else None
    return next((table for part in get_args(annotation) if (table := table_of(part))), None)


def is_list(annotation: Any) -> bool:
    """Whether the field holds a list."""
    return get_origin(annotation) is tuple


def field_at(root: type[BaseModel], path: Path) -> FieldInfo | None:
    """The field that the path ends in, or passed last; positions in lists are skipped."""
    field: FieldInfo | None = None
    table: type[BaseModel] | None = root
    for name in path:
        if isinstance(name, int):
            continue
        if table is None or name not in table.model_fields:
            break
        field = table.model_fields[name]
        table = table_of(field.annotation)
    return field


def table_at(root: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The table at the end of the path."""
    names = [name for name in path if isinstance(name, str)]
    if not names:
        return root
    field = field_at(root, names)
    return table_of(field.annotation) if field is not None else None


def keys_of(table: type[BaseModel] | None) -> list[str]:
    """The keys that may be written in the table; a secret's plain form is none."""
    return [name for name, field in table.model_fields.items() if not field.exclude] if table else []


def homes_of(root: type[BaseModel], name: str) -> list[str]:
    """The tables that know a key of this name, as their heads are written in the file."""
    return [head for head, table in tables_below(root) if name in table.model_fields]


def tables_below(root: type[BaseModel], at: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table with its head, such as `[acd]` or `[[mailbox]]`."""
    for name, field in root.model_fields.items():
        table = table_of(field.annotation)
        if table is None or issubclass(table, Secret):
            continue
        path = f"{at}.{name}" if at else name
        yield (f"[[{path}]]" if is_list(field.annotation) else f"[{path}]"), table
        yield from tables_below(table, path)
