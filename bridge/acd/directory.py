"""The directory: names of event types and groups to IDs, as this ACD has them."""

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog

from bridge.acd.failure import AmbiguousName, UnknownName
from bridge.acd.record import TYPE_PREFIX, AcdEventType, AcdGroup
from bridge.errors import AcdError

REFRESH_PAUSE: Final = 60.0
"""Seconds that a list is believed before an unknown name may ask for it again."""
REFRESH_AGE: Final = 900.0
"""Seconds after which a list is asked for anew: groups are deleted, and made again under their names."""
VENDOR_TYPES: Final[Mapping[int, str]] = {1: "VoiceMail", 2: "Fax", 3: "Callback", 4: "SMS", 5: "Email"}
"""Type names that the vendor documents. Only for checking while the ACD cannot be asked, never to post."""
_NEAR = 3

log = structlog.get_logger("bridge.acd")


class Lists(Protocol):
    """What the directory needs of the client."""

    async def event_types(self) -> list[AcdEventType]:
        """All event types."""

    async def groups(self) -> list[AcdGroup]:
        """All groups."""


class NameList:
    """One list of names and IDs: asked for when it is first needed, then kept and refreshed.

    Concurrent look-ups share one request, and its failure.
    """

    def __init__(
        self, kind: str, load: Callable[[], Awaitable[dict[str, list[int]]]], clock: Callable[[], float]
    ) -> None:
        self.ids: dict[str, list[int]] = {}
        self._kind = kind
        self._load = load
        self._clock = clock
        self._loaded_at: float | None = None
        self._tries = 0
        self._tried_at = 0.0
        self._failed: AcdError | None = None
        self._lock = asyncio.Lock()

    async def id_of(self, name: str) -> int:
        """The ID of exactly this name; digits alone that are no name are an ID.

        Raises UnknownName, AmbiguousName, or AcdFailure where the list is not known and cannot be read.
        """
        await self._keep_fresh()
        if name not in self.ids and _is_id(name):
            return int(name)
        if name not in self.ids and self._older_than(REFRESH_PAUSE):
            await self._refresh()
        ids = self.ids.get(name, [])
        if len(ids) > 1:
            raise AmbiguousName(self._kind, name, ids)
        if not ids:
            raise UnknownName(self._kind, name, difflib.get_close_matches(name, self.ids, _NEAR))
        return ids[0]

    async def read_again(self) -> None:
        """Load the list anew, since one of its IDs may lead nowhere by now; if that fails the old one still serves."""
        if self._loaded_at is not None and self._clock() - self._tried_at >= REFRESH_PAUSE:
            await self._refresh_if_possible()

    async def _keep_fresh(self) -> None:
        """Load the list where there is none, and an old one anew; if that fails the old one still serves."""
        if self._older_than(REFRESH_AGE):
            await self._refresh_if_possible()

    async def _refresh_if_possible(self) -> None:
        """Raises AcdFailure where there is no list to go on with."""
        try:
            await self._refresh()
        except AcdError as error:
            if self._loaded_at is None:
                raise
            log.warning("directory-not-refreshed", kind=self._kind, error=type(error).__name__)
            self._loaded_at = self._clock() - REFRESH_AGE + REFRESH_PAUSE

    def _older_than(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at >= seconds

    async def _refresh(self) -> None:
        seen = self._tries
        async with self._lock:
            if self._tries == seen:
                await self._try_to_load()
            if self._failed is not None:
                raise self._failed

    async def _try_to_load(self) -> None:
        try:
            self.ids = await self._load()
        except AcdError as error:
            self._failed = error
        else:
            self._failed = None
            self._loaded_at = self._clock()
        self._tries += 1
        self._tried_at = self._clock()


class Directory:
    """Resolves names of types and groups. `overrides` are IDs of types by name, and go before the ACD's list.

    `clock` gives seconds that only go forward.
    """

    def __init__(
        self, client: Lists, overrides: Mapping[str, int], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._overrides = {name.removeprefix(TYPE_PREFIX): value for name, value in overrides.items()}
        self._types = NameList("event type", self._load_types, clock)
        self._groups = NameList("group", self._load_groups, clock)

    async def type_id(self, name_or_id: str | int) -> int:
        """The ID of an event type, by its exact name with or without `AcdEventTypes.`; an ID is itself.

        Raises UnknownName, or AcdFailure where the list cannot be read.
        """
        if isinstance(name_or_id, int):
            return name_or_id
        name = name_or_id.removeprefix(TYPE_PREFIX)
        if name in self._overrides:
            return self._overrides[name]
        return await self._types.id_of(name)

    async def group_id(self, name_or_id: str | int) -> int:
        """The ID of a group, by its exact name; an ID is itself.

        Raises UnknownName, AmbiguousName, or AcdFailure where the list cannot be read.
        """
        if isinstance(name_or_id, int):
            return name_or_id
        return await self._groups.id_of(name_or_id)

    async def read_again(self) -> None:
        """Read the lists again, but at most once a minute: the ACD refused what was made of them.

        A group that is deleted and made again under its name has another ID. Raises nothing.
        """
        await self._types.read_again()
        await self._groups.read_again()

    def type_name(self, type_id: int) -> str | None:
        """The name of an event type without its prefix, as far as it is known without asking the ACD."""
        for name, value in self._overrides.items():
            if value == type_id:
                return name
        for name, ids in self._types.ids.items():
            if type_id in ids:
                return name
        return VENDOR_TYPES.get(type_id)

    async def _load_types(self) -> dict[str, list[int]]:
        return _by_name((one.name, one.id) for one in await self._client.event_types())

    async def _load_groups(self) -> dict[str, list[int]]:
        return _by_name((one.name, one.id) for one in await self._client.groups())


def _by_name(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for name, value in pairs:
        ids.setdefault(name, []).append(value)
    return ids


def _is_id(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10 and int(name) > 0
