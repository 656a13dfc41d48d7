"""From a webhook of the configuration to its source: preset and overrides, compiled and checked."""

import difflib
from collections.abc import Iterator

from bridge.config.webhook import Webhook, WebhookFields
from bridge.errors import ConfigError, Problem
from bridge.intake.webhook.expression import Expression, ExpressionError
from bridge.intake.webhook.preset_file import Preset, preset_names, read_preset
from bridge.intake.webhook.scheme import Scheme
from bridge.intake.webhook.source import Source


def problems_of(webhook: Webhook) -> list[Problem]:
    """What is wrong with a webhook of the configuration beyond its form. It reads no secret's file."""
    preset = _preset_of(webhook)
    found = list(_field_problems(webhook))
    if preset is None:
        return [_unknown_preset(webhook), *found]
    return [*_authentication_problems(webhook, preset), *found]


def compile_source(webhook: Webhook) -> Source:
    """The source of a webhook. Raises ConfigError with every problem that `problems_of` finds."""
    problems = problems_of(webhook)
    if problems:
        raise ConfigError(_key(webhook), problems)
    preset = read_preset(webhook.preset)
    return Source(
        webhook=webhook,
        schemes=preset.signature,
        fields={name: Expression(text) for name, text in _texts(preset.fields, webhook.fields)},
        events=preset.events,
    )


def _preset_of(webhook: Webhook) -> Preset | None:
    return read_preset(webhook.preset) if webhook.preset in preset_names() else None


def _texts(preset: WebhookFields, overrides: WebhookFields) -> Iterator[tuple[str, str]]:
    """Name and expression of each field that the configuration or else the preset gives."""
    for name in WebhookFields.model_fields:
        own = getattr(overrides, name)
        text = getattr(preset, name) if own is None else own
        if text is not None:
            yield name, text


def _unknown_preset(webhook: Webhook) -> Problem:
    names = preset_names()
    close = difflib.get_close_matches(webhook.preset.lower(), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
    return Problem(f"{_key(webhook)}.preset", f"there is no preset {webhook.preset!r}", hint)


def _field_problems(webhook: Webhook) -> Iterator[Problem]:
    for name, text in _texts(WebhookFields(), webhook.fields):
        try:
            Expression(text)
        except ExpressionError as error:
            yield Problem(f"{_key(webhook)}.fields.{name}", error.message, error.hint)


def _authentication_problems(webhook: Webhook, preset: Preset) -> Iterator[Problem]:
    key = _key(webhook)
    if webhook.unsigned and (webhook.secrets or webhook.basic):
        yield Problem(
            f"{key}.unsigned", "says that nothing is proved, but secrets or basic say how", "remove one"
        )
    if webhook.secrets and not preset.signature:
        yield Problem(
            f"{key}.secrets",
            f"{preset.title} signs nothing, so no secret could ever fit",
            "use basic instead",
        )
    if not (webhook.secrets or webhook.basic or webhook.unsigned):
        wanted = "secrets" if preset.signature else "basic"
        yield Problem(
            f"{key}.{wanted}",
            "is missing: anybody could post tickets",
            f"give {wanted}, or unsigned = true where only trusted machines reach the port",
        )
    yield from _plain_secret_problems(webhook, preset)


def _plain_secret_problems(webhook: Webhook, preset: Preset) -> Iterator[Problem]:
    """A secret in the file itself can be looked at now; others are read when they are used."""
    schemes = preset.signature
    for number, secret in enumerate(webhook.secrets):
        plain = secret.plain
        if plain is not None and schemes and not any(one.key_of(plain.strip()) for one in schemes):
            key = f"{_key(webhook)}.secrets[{number}]"
            yield Problem(key, f"is no secret of {preset.title}", _secret_form(schemes))


def _secret_form(schemes: tuple[Scheme, ...]) -> str:
    """How a secret of one of these schemes looks, in words."""
    prefixes = [scheme.key_prefix for scheme in schemes if scheme.key_prefix]
    return f"it must be {' or '.join(prefixes)} and base64" if prefixes else "it must be a text"


def _key(webhook: Webhook) -> str:
    return f"webhook[{webhook.name}]"
