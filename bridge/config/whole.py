"""Rules that need more than one table of the file. They look at the file as parsed, so that they also speak
where single values are wrong, and every problem shows at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.config.duration import parse_seconds
from bridge.config.follow_up import FollowUp
from bridge.config.mailbox import folder_identity
from bridge.config.model import State
from bridge.config.values import Table
from bridge.errors import Problem

Raw = Mapping[str, Any]


def whole_problems(raw: Raw) -> list[Problem]:
    """Names given twice or not at all, folders watched twice, listeners that are missing or share an address."""
    return [
        *_repeated_names(raw, "mailbox", "webhook"),
        *_repeated_names(raw, "route"),
        *_repeated_names(raw, "notify"),
        *_folders_watched_twice(raw),
        *_listeners(raw),
        *_notified_by_nobody_known(raw),
        *_waiting_for_done_in_vain(raw),
        *_followed_beyond_retention(raw),
        *_sources_of_same_cases(raw),
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
            place = (str(entry.get("host")).lower(), str(entry.get("username")), folder_identity(folder))
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


def _notified_by_nobody_known(raw: Raw) -> Iterator[Problem]:
    known = [str(entry.get("name")) for entry in _entries(raw, "notify")]
    for route in _entries(raw, "route"):
        name = route.get("notify")
        if isinstance(name, str) and name not in known:
            hint = f"there are {', '.join(known)}" if known else "add a table with the head [[notify]]"
            yield Problem(
                f"route[{route.get('name')}].notify", f"there is no [[notify]] named {name!r}", hint
            )


def _waiting_for_done_in_vain(raw: Raw) -> Iterator[Problem]:
    """A mailbox whose mails would keep waiting, since no event is ever seen to be Done."""
    if any(route.get("follow_up") is True for route in _entries(raw, "route")):
        return
    for entry in _entries(raw, "mailbox"):
        action = entry.get("after_delivery")
        if isinstance(action, dict) and action.get("when") == "done":
            key = f"mailbox[{entry.get('name')}].after_delivery.when"
            yield Problem(
                key, 'is "done", and no route follows its events', "set follow_up = true in a route"
            )


def _followed_beyond_retention(raw: Raw) -> Iterator[Problem]:
    """What is removed from the state file cannot be followed any longer."""
    days = _given(raw, "state", "retention_days", State)
    try:
        longest = parse_seconds(_given(raw, "follow_up", "give_up_after", FollowUp))
    except ValueError:
        return  # the models say what is wrong with it
    if not isinstance(days, int):
        return
    if longest >= days * 86400 and any(route.get("follow_up") is True for route in _entries(raw, "route")):
        what = f"is not shorter than state.retention_days = {days}"
        yield Problem("follow_up.give_up_after", what, "give a shorter one, or keep items for longer")


def _given(raw: Raw, table: str, key: str, model: type[Table]) -> Any:
    """The value in the file, or the default."""
    found = raw.get(table)
    default = model.model_fields[key].default
    return found.get(key, default) if isinstance(found, dict) else default


def _sources_of_same_cases(raw: Raw) -> Iterator[Problem]:
    # Names as they were parsed may be lists, which no set takes.
    names = [entry.get("name") for key in ("mailbox", "webhook") for entry in _entries(raw, key)]
    seen: set[str] = set()
    for index, entry in enumerate(_entries(raw, "same_case")):
        key, sources = f"same_case[{index}].sources", list(_texts(entry.get("sources")))
        if len(sources) == 1:
            yield Problem(key, "must name at least two sources", "a source alone brings each case once")
        for name in sources:
            if name not in names:
                yield Problem(
                    key, f"there is no source {name!r}", "name mailboxes and webhooks as they are named"
                )
            elif name in seen:
                yield Problem(
                    key, f"source {name!r} is named twice", "put all that belong together into one table"
                )
            seen.add(name)


def _entries(raw: Raw, key: str) -> list[dict[str, Any]]:
    entries = raw.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _texts(values: Any) -> Iterable[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
