"""The tables of routes: which messages, and the AcdEvent that they become."""

from typing import Self

from pydantic import Field, model_validator

from bridge.config.values import Table


class RouteEvent(Table):
    """The AcdEvent that a route makes: each field a value or a Jinja template."""

    type: str | int = Field(description="Name or ID of the AcdEventType.")
    group: str | int | None = Field(None, description="Name or ID of the ACD group.")
    config_group: str | int | None = Field(
        None, description="ID of the configuration group, with `agent_group`."
    )
    agent_group: str | int | None = Field(None, description="ID of the agent group, with `config_group`.")
    user: str | int | None = Field(None, description="ID of the user who gets it; empty: the group's queue.")
    sender: str = Field("{{ sender }}", description="Who it is from; for telephone types a number in E.164.")
    receiver: str | None = Field("{{ recipient }}", description="Who it was sent to.")
    subject: str = Field("{{ subject }}", description="The subject that the agent sees.")
    body: str | None = Field(None, description="A text; only for the type Callback.")
    crm_url: str | None = Field("{{ ticket_url }}", description="The address that the agent's client opens.")
    user_data: str | None = Field("{{ ticket_number }}", description="The helpdesk's ticket number.")
    priority: str | int | None = Field(None, description="0 to 200; the ACD takes 50 where it is not given.")
    appointment: str | None = Field(
        None, description="The earliest moment, ISO 8601; empty: as soon as possible."
    )


class Route(Table):
    """A rule: which messages, and which event they become."""

    name: str = Field(min_length=1, max_length=200, description="The route's name in logs and explanations.")
    when: str = Field("true", min_length=1, description="A Jinja expression; `true` where it is not given.")
    drop: bool = Field(default=False, description="Whether matching messages make no event.")
    event: RouteEvent | None = Field(None, description="The event that a matching message becomes.")
    follow_up: bool = Field(
        default=False, description="Whether the event is looked at in the ACD until it is Done or in Error."
    )
    notify: str | None = Field(
        None, description="The name of the `[[notify]]` that is told when the event is Done or in Error."
    )

    @model_validator(mode="after")
    def _drop_or_event(self) -> Self:
        if self.drop == (self.event is not None):
            raise ValueError("a route has either drop = true or an event")
        if self.drop and self.follow_up:
            raise ValueError("a route that drops makes no event to follow up")
        if self.notify is not None and not self.follow_up:
            raise ValueError("notify needs follow_up = true")
        return self
