"""The addresses of the API, below `{url}/rest/v1.0/{ClientsID}`. Names are URL-encoded as one query value."""

from dataclasses import dataclass
from urllib.parse import quote

from yarl import URL

from bridge.config.acd import Acd, AcdPaths


@dataclass(frozen=True, slots=True)
class Addresses:
    """One method for each documented path."""

    base: str
    paths: AcdPaths

    @classmethod
    def of(cls, config: Acd) -> "Addresses":
        """The addresses of this configuration."""
        return cls(f"{URL(config.url)}".rstrip("/") + f"/rest/v1.0/{config.clients_id}", config.paths)

    def events(self) -> URL:
        """All events of the client account."""
        return self._url("/acd/events")

    def event(self, event_id: int) -> URL:
        """One event."""
        return self._url(f"/acd/events/event/{event_id}")

    def create_event(self) -> URL:
        """Creating an event."""
        return self._url("/acd/events/create")

    def event_types(self) -> URL:
        """All event types."""
        return self._url("/acd/events/types")

    def event_statuses(self) -> URL:
        """All states of events; this path is assumed, so it is the setting `acd.paths.statuses`."""
        return self._url(self.paths.statuses)

    def groups(self) -> URL:
        """All groups."""
        return self._url("/acd/groups")

    def group(self, group_id: int) -> URL:
        """One group."""
        return self._url(f"/acd/groups/group/{group_id}")

    def groups_named(self, name: str) -> URL:
        """The groups whose names hold this one."""
        return self._url("/acd/groups/group", name=name)

    def campaigns(self) -> URL:
        """All campaigns."""
        return self._url("/dialler/campaigns")

    def campaign(self, campaign_id: int) -> URL:
        """One campaign; the documentation has no `/campaign/` segment here."""
        return self._url(f"/dialler/campaigns/{campaign_id}")

    def campaigns_named(self, name: str) -> URL:
        """The campaigns whose names hold this one; with DELETE the campaign of this name."""
        return self._url("/dialler/campaigns/campaign", name=name)

    def result_codes(self, campaign_id: int, languages_id: int) -> URL:
        """A campaign's result codes in one language."""
        return self._url(
            f"/dialler/campaigns/campaign/{campaign_id}/resultCodes", languagesID=str(languages_id)
        )

    def clone_campaign(self) -> URL:
        """Cloning a campaign."""
        return self._url("/dialler/campaigns/clone")

    def delete_campaign(self, campaign_id: int) -> URL:
        """Deleting by ID; this path is assumed, so it is the setting `acd.paths.delete_campaign`."""
        return self._url(self.paths.delete_campaign.replace("{id}", str(campaign_id)))

    def _url(self, path: str, **query: str) -> URL:
        asked = "&".join(f"{name}={quote(value, safe='', errors='replace')}" for name, value in query.items())
        return URL(f"{self.base}{path}" + (f"?{asked}" if asked else ""), encoded=True)
