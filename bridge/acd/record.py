"""The ACD's records as types.

They name the fields that the documentation attests; all others are kept as they came, nulls too, and
`as_json` gives them all back under the ACD's own names (b boolean, n number, dt date-time, XxxID key).
"""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

TYPE_PREFIX = "AcdEventTypes."
STATUS_PREFIX = "AcdEventStatus."
_LONGEST_DATE = 32


def read_moment(text: str | None) -> datetime | None:
    """A date-time of the ACD, with or without milliseconds; None where there is none or it cannot be read.

    The ACD writes no zone, so the result has none either: it is the ACD's own local time.
    """
    if not text or len(text) > _LONGEST_DATE:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=None)


class Record(BaseModel):
    """What all records share: unknown fields are kept, numbers in text fields are taken as text."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)

    @classmethod
    def attested(cls) -> frozenset[str]:
        """The ACD's names of the fields that are named here."""
        aliases = [field.validation_alias for field in cls.model_fields.values()]
        choices = [one.choices if isinstance(one, AliasChoices) else [one] for one in aliases]
        return frozenset(name for some in choices for name in some if isinstance(name, str))

    def as_json(self) -> dict[str, Any]:
        """Every field that the ACD sent, nulls included, under the ACD's names."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class AcdEvent(Record):
    """One event of `/acd/events`. Fields that this ACD's release does not send are None."""

    id: int = Field(validation_alias=AliasChoices("ID", "AcdEventsID"), serialization_alias="ID", gt=0)
    type_id: int | None = Field(None, alias="AcdEventTypesID")
    status_id: int | None = Field(None, alias="AcdEventStatusID")
    group_id: int | None = Field(None, alias="AcdGroupsID")
    config_group_id: int | None = Field(None, alias="AcdConfigurationGroupsID")
    agent_group_id: int | None = Field(None, alias="AcdAgentGroupsID")
    user_id: int | None = Field(None, alias="UsersID")
    sender: str | None = Field(None, alias="Sender")
    receiver: str | None = Field(None, alias="Receiver")
    subject: str | None = Field(None, alias="Subject")
    crm_url: str | None = Field(None, alias="CrmURL")
    user_data: str | None = Field(None, alias="UserData")
    priority: int | None = Field(None, alias="nPriority")
    dt_created: str | None = Field(None, alias="dtCreated")
    dt_last_modified: str | None = Field(None, alias="dtLastModified")
    result: str | None = Field(None, alias="Result_")

    @property
    def created_at(self) -> datetime | None:
        """When it was created, in the ACD's local time, without a zone."""
        return read_moment(self.dt_created)

    @property
    def modified_at(self) -> datetime | None:
        """When it last changed, in the ACD's local time, without a zone."""
        return read_moment(self.dt_last_modified)


class ShortText(Record):
    """A value with its ID and its text key, such as `AcdEventTypes.Email`."""

    id: int = Field(alias="ID", ge=0)
    short_text: str = Field(alias="ShortText")


class AcdEventType(ShortText):
    """One of `/acd/events/types`."""

    @property
    def name(self) -> str:
        """The name as routes write it, such as `Email`."""
        return self.short_text.removeprefix(TYPE_PREFIX)


class AcdEventStatus(ShortText):
    """One of the states that an event passes through, from 0 EnterSystem to 99 Done and 100 Error."""

    @property
    def name(self) -> str:
        """The name without its prefix, such as `Done`."""
        return self.short_text.removeprefix(STATUS_PREFIX)


class AcdGroup(Record):
    """One ACD group. Its many settings are extra fields."""

    id: int = Field(alias="ID", gt=0)
    name: str = Field(alias="Name")


class DiallerCampaign(Record):
    """One campaign of the dialler. Its many settings are extra fields."""

    id: int | None = Field(
        None, validation_alias=AliasChoices("ID", "DiallerCampaignsID"), serialization_alias="ID"
    )
    name: str = Field(alias="Name")


class ResultCode(Record):
    """One result code of a campaign. No field of it is documented, so all are extra."""

    id: int | None = Field(None, alias="ID")
