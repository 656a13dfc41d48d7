"""Rules that need more than one table of the file. They look at the file as parsed, so that they also speak
where single values are wrong, and every problem shows at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.errors import Problem

Raw = Mapping[str, Any]


def whole_problems(raw: Raw) -> list[Problem]:
    """Names given twice, folders watched twice, listeners that are missing or share an address."""
    return [
        *_repeated_names(raw, "mailbox", "webhook"),
        *_repeated_names(raw, "route"),
        *_folders_watched_twice(raw),
        *_listeners(raw),
    ]


def _repeated_names(raw: Raw, *lists: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for key in lists:
        for entry in _entries(raw, key):
            name = entry.get("name")
            if isinstance(name, str) and name in seen:
                hint = (
                    "mailboxes and webhooks share one list of names"
                    if len(lists) > 1
                    else "rename one of them"
                )
                yield Problem(f"{key}[{name}].name", "this name is given twice", hint)
            elif isinstance(name, str):
                seen.add(name)


def _folders_watched_twice(raw: Raw) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], str] = {}
    for entry in _entries(raw, "mailbox"):
        name, folders = str(entry.get("name")), entry.get("folders", ["INBOX"])
        for folder in set(_texts(folders)):
            place = (str(entry.get("host")).lower(), str(entry.get("username")), folder)
            other = seen.setdefault(place, name)
            if other != name:
                what = f"folder {folder!r} of this account is watched by mailbox {other!r} too"
                yield Problem(f"mailbox[{name}].folders", what, "every mail of it would become two events")


def _listeners(raw: Raw) -> Iterator[Problem]:
    listen = raw.get("listen")
    addresses = listen if isinstance(listen, dict) else {}
    if _entries(raw, "webhook") and "webhooks" not in addresses:
        yield Problem(
            "listen.webhooks",
            "is missing, and there are webhooks",
            'add webhooks = "127.0.0.1:8080" to [listen]',
        )
    if "webhooks" in addresses and addresses["webhooks"] == addresses.get("admin"):
        yield Problem("listen.admin", "is the address of listen.webhooks too", "give each its own port")


def _entries(raw: Raw, key: str) -> list[dict[str, Any]]:
    entries = raw.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _texts(values: Any) -> Iterable[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
