"""Items that are claimed ahead of the free places, and which of them goes next."""

from collections import deque
from collections.abc import Iterable, Iterator

from bridge.ledger.item import Claimed
from bridge.ledger.lanes import HISTORY, history_places

LEAST_AHEAD = 32
"""So many items are ready at least: the requests of some few places end faster than a transaction does."""


class Ready:
    """A place that becomes free takes from here at once, and does not wait for the state file.

    Their attempts are on disk; what is not begun is handed back with `take_all`. At most `concurrency` items are
    ready, or LEAST_AHEAD where that is more. History leaves one place free, so that a live item that comes finds
    one although the ACD is slow.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._ahead = max(concurrency, LEAST_AHEAD)
        self._live: deque[Claimed] = deque()
        self._history: deque[Claimed] = deque()
        self._history_under_way = 0

    def __len__(self) -> int:
        return len(self._live) + len(self._history)

    def __iter__(self) -> Iterator[Claimed]:
        return iter([*self._live, *self._history])

    def add(self, items: Iterable[Claimed]) -> None:
        """These were claimed."""
        for item in items:
            (self._history if item.lane == HISTORY else self._live).append(item)

    def take(self) -> Claimed | None:
        """The next for a free place, live items first; None where there is none that may go."""
        if self._live:
            return self._live.popleft()
        if self._history and history_places(1, self._concurrency, self._history_under_way):
            self._history_under_way += 1
            return self._history.popleft()
        return None

    def ended(self, item: Claimed) -> None:
        """The request of an item that was taken has ended."""
        self._history_under_way -= item.lane == HISTORY

    def take_all(self) -> list[Claimed]:
        """All that is ready, to be handed back."""
        everything = [*self._live, *self._history]
        self._live.clear()
        self._history.clear()
        return everything

    def wanted(self, places: int) -> tuple[int, int]:
        """How many items to claim while so many places are free, and how many of them may be history."""
        limit = max(0, places + self._ahead - len(self))
        free = history_places(places, self._concurrency, self._history_under_way)
        return limit, min(limit, max(0, free + self._ahead - len(self._history)))
