"""The preset files: what a helpdesk sends, as data. docs/webhooks.md describes their form."""

import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import Field

from bridge.config.values import Table
from bridge.config.webhook import WebhookFields
from bridge.intake.webhook.scheme import Scheme


class Preset(Table):
    """One helpdesk: how it signs, and where in its requests the fields are."""

    title: str = Field(min_length=1, description="The helpdesk's name for people.")
    signature: tuple[Scheme, ...] = Field(
        (), strict=False, description="Each is tried; none: it signs nothing."
    )
    fields: WebhookFields = Field(description="JMESPath expressions over `{body, headers, base_url, query}`.")
    events: dict[str, str] = Field(
        default_factory=dict,
        description="The helpdesk's words for events, in lower case, and ours for them.",
    )


@cache
def preset_names() -> tuple[str, ...]:
    """The bundled presets, by name."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


@cache
def read_preset(name: str) -> Preset:
    """A bundled preset. Raises KeyError where there is none of this name."""
    if name not in preset_names():
        raise KeyError(name)
    text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    return Preset.model_validate(tomllib.loads(text))


def _folder() -> Traversable:
    return files("bridge.intake.webhook") / "presets"
