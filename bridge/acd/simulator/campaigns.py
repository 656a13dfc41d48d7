"""The dialler campaigns of the simulated ACD."""

from collections.abc import Iterable
from typing import Any, Final

MAX_CAMPAIGNS: Final = 1000
RESULT_CODES: Final = (
    ("Reached", "Erreicht"),
    ("Not reached", "Nicht erreicht"),
    ("Wrong number", "Falsche Nummer"),
)
LANGUAGES: Final = (1, 2)
"""1 English, 2 German."""


class Campaigns:
    """Campaigns by ID."""

    def __init__(self, names: Iterable[str], clients_id: int) -> None:
        self._clients_id = clients_id
        self._by_id: dict[int, dict[str, Any]] = {}
        self._last_id = 500
        for name in names:
            self.add(name)

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[dict[str, Any]]:
        """Every campaign, ordered by Name."""
        return sorted(self._by_id.values(), key=lambda campaign: str(campaign["Name"]))

    def get(self, number: int) -> dict[str, Any] | None:
        """One campaign."""
        return self._by_id.get(number)

    def like(self, name: str) -> list[dict[str, Any]]:
        """The campaigns whose names hold this one."""
        return [campaign for campaign in self.all() if name in campaign["Name"]]

    def named(self, name: str) -> dict[str, Any] | None:
        """The campaign of exactly this name."""
        return next((campaign for campaign in self._by_id.values() if campaign["Name"] == name), None)

    def add(self, name: str, **fields: Any) -> dict[str, Any]:
        """A new campaign."""
        self._last_id += 1
        self._by_id[self._last_id] = {
            "ContactPreviewTime": 5,
            "nMaxParallelLines": None,
            "bCloseContactsOnIncomingCallsMatchCallerID": True,
            "dtTo": None,
            "LanguagesID": 2,
            "bCallerIDActive": False,
            "ClientsID": self._clients_id,
            "UserData": None,
            **fields,
            "ID": self._last_id,
            "Name": name,
        }
        return self._by_id[self._last_id]

    def remove(self, number: int) -> None:
        """Delete a campaign."""
        del self._by_id[number]

    def result_codes(self, language: int) -> list[dict[str, Any]]:
        """The result codes, which are the same for all campaigns, in one language."""
        return [
            {"ID": 2490 + place, "LanguagesID": language, "Text": texts[language - 1], "Description": None}
            for place, texts in enumerate(RESULT_CODES)
        ]
