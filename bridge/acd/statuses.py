"""The states of events by their IDs, as this ACD lists them."""

import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog

from bridge.acd.directory import REFRESH_AGE, REFRESH_PAUSE
from bridge.acd.failure import AcdFailure, AcdNotFound, AcdRefused, AcdUnreadable, AcdWrongAddress
from bridge.acd.record import AcdEventStatus

STATED: Final[Mapping[int, str]] = {
    0: "EnterSystem",
    1: "Distribute",
    2: "TransportSMTP",
    4: "TransportToGroup",
    10: "TransportAgent",
    20: "New",
    30: "Seen",
    40: "Remind",
    98: "ChatClosed",
    99: "Done",
    100: "Error",
}
"""The states that the documentation states; for an ACD that does not have the list at its assumed path."""
_NEEDED: Final = frozenset({"Done", "Error"})
_NO_LIST: Final = (AcdNotFound, AcdRefused, AcdUnreadable, AcdWrongAddress)
"""Answers that say that there is no such list, and not that the ACD is not there."""

log = structlog.get_logger("bridge.acd")


class Lists(Protocol):
    """What is needed of the client."""

    async def event_statuses(self) -> list[AcdEventStatus]:
        """All states of events."""


class Statuses:
    """The names of the states: asked for when they are first needed, then kept and refreshed.

    `clock` gives seconds that only go forward.
    """

    def __init__(self, client: Lists, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._names: Mapping[int, str] = {}
        self._fresh_until = 0.0

    async def names(self) -> Mapping[int, str]:
        """Each state's name without its prefix, by its ID.

        Raises AcdFailure where nothing is known and the ACD cannot be asked.
        """
        if not self._names or self._clock() >= self._fresh_until:
            await self._refresh()
        return self._names

    async def _refresh(self) -> None:
        try:
            listed = {one.id: one.name for one in await self._client.event_statuses()}
        except _NO_LIST as error:
            self._take_stated(error.message)
        except AcdFailure:
            if not self._names:
                raise
            self._fresh_until = self._clock() + REFRESH_PAUSE
        else:
            self._take(listed)

    def _take(self, listed: Mapping[int, str]) -> None:
        """A list without the names of the final states would never let an event end."""
        if not set(listed.values()) >= _NEEDED:
            self._take_stated(f"the list names no {' and no '.join(sorted(_NEEDED))}")
            return
        self._names, self._fresh_until = listed, self._clock() + REFRESH_AGE

    def _take_stated(self, problem: str) -> None:
        if self._names is not STATED:
            hint = "the documented IDs are taken; set acd.paths.statuses if the list is elsewhere"
            log.warning("status-list-not-usable", problem=problem, hint=hint)
        self._names, self._fresh_until = STATED, self._clock() + REFRESH_AGE
