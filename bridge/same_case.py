"""Which sources bring the same cases, as the configuration says."""

from collections.abc import Iterable
from typing import NamedTuple

from bridge.config.same_case import SameCase as SameCaseTable
from bridge.ledger.item import SameCase


class _Membership(NamedTuple):
    home: str
    same_case: SameCase


class SameCases:
    """The tables `same_case`, ready to be asked for each message."""

    def __init__(self, tables: Iterable[SameCaseTable] = ()) -> None:
        self._of = {
            name: _Membership(
                home=table.sources[0],
                same_case=SameCase(
                    sources=frozenset(table.sources) - {name}, within=round(table.within * 1000)
                ),
            )
            for table in tables
            for name in table.sources
        }

    def home_of(self, source: str) -> str:
        """The source whose name stands for all of them in the key of a conversation, so that one order holds."""
        return self._of[source].home if source in self._of else source

    def of(self, source: str) -> SameCase | None:
        """Where else the cases of this source come from; None where nowhere."""
        return self._of[source].same_case if source in self._of else None


NO_SAME_CASES = SameCases()
