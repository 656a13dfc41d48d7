"""Reading the configuration file: from a path to a `Config`, or to every problem at once."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bridge.config.model import Config
from bridge.config.problems import problems_of
from bridge.config.secret import Secret, SecretError
from bridge.config.sound import Sound, sound_part
from bridge.config.whole import whole_problems
from bridge.errors import ConfigError, Problem

MAX_CONFIG_BYTES = 1024 * 1024
"""A configuration file may not be larger: what is larger is the wrong file."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_config(path: Path) -> Config:
    """The configuration in this file. Raises ConfigError with every problem at once."""
    return parse_config(_read(path), str(path))


def parse_config(text: str, file: str) -> Config:
    """The configuration that this text is; `file` is its name in errors. Raises ConfigError."""
    found = parse_sound_part(text, file)
    if found.problems or found.config is None:
        raise ConfigError(file, found.problems)
    return found.config


def load_sound_part(path: Path) -> Sound:
    """What of this file can be looked at further, and its problems so far. Raises ConfigError where it is no TOML."""
    return parse_sound_part(_read(path), str(path))


def parse_sound_part(text: str, file: str) -> Sound:
    """As `load_sound_part`, of a text; `file` is its name in errors."""
    raw = _parse_toml(text, file)
    across = whole_problems(raw)
    try:
        return Sound(Config.model_validate(raw), across)
    except ValidationError as error:
        return sound_part(raw, error, [*problems_of(error, raw), *across])


def secret_problems(config: Config) -> list[Problem]:
    """Every secret that cannot be read now, or cannot be one. Reads files and the environment."""
    return [problem for key, secret in secrets_of(config) if (problem := _secret_problem(key, secret))]


def secrets_of(table: BaseModel, at: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret of the configuration with its key's path."""
    for name in type(table).model_fields:
        key = f"{at}.{name}" if at else name
        value = getattr(table, name)
        if isinstance(value, tuple):
            yield from _secrets_of_list(value, key)
        elif isinstance(value, BaseModel):
            yield from [(key, value)] if isinstance(value, Secret) else secrets_of(value, key)


def _secrets_of_list(values: Iterable[Any], key: str) -> Iterator[tuple[str, Secret]]:
    for index, value in enumerate(values):
        entry = f"{key}[{getattr(value, 'name', index)}]"
        if isinstance(value, Secret):
            yield entry, value
        elif isinstance(value, BaseModel):
            yield from secrets_of(value, entry)


def _secret_problem(key: str, secret: Secret) -> Problem | None:
    try:
        value = secret.reveal()
    except SecretError as error:
        return Problem(key, str(error), "put the secret there, or name another place")
    # A line end in a header or in an IMAP command would begin another one.
    if not value.isprintable() and not key.endswith(".service_account"):  # a JSON file of many lines
        return Problem(
            key, f"the secret in {secret.place()} has line ends or control characters", "keep one line"
        )
    return None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        hint = "give the file's place with --config, and let this user read it"
        raise ConfigError(str(path), [Problem("file", f"cannot be read: {error.strerror}", hint)]) from None
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError(
            str(path), [Problem("file", f"is larger than {MAX_CONFIG_BYTES} bytes", "is it the right one?")]
        )
    return _decode(content, str(path))


def _decode(content: bytes, file: str) -> str:
    try:
        # Editors of Windows put a byte order mark first, which TOML does not know.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(file, [Problem(f"line {line}", "is not UTF-8", "save the file as UTF-8")]) from None


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, [_syntax_problem(str(error))]) from None
    except RecursionError:
        raise ConfigError(file, [Problem("file", "has lists or tables nested too deeply")]) from None
    except ValueError:  # Python's own bound of the digits of a number
        raise ConfigError(file, [Problem("file", "has a number of thousands of digits")]) from None
    if problems := [
        Problem(key, "has more than 64 bits", "give a smaller number") for key in _beyond_toml(raw)
    ]:
        raise ConfigError(file, problems)
    return raw


def _beyond_toml(value: Any, key: str = "") -> Iterator[str]:
    """Keys of whole numbers beyond 64 bits: TOML has none, and neither have floats, dates and the state file."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _beyond_toml(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _beyond_toml(part, f"{key}[{index}]")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield key


def _syntax_problem(words: str) -> Problem:
    """The place is given only within the words of `tomllib`."""
    place = _PLACE.search(words)
    what = f"no valid TOML: {_PLACE.sub('', words)}"
    hint = "texts need quotes, and each table's head stands once"
    if place is None or place[1] is None:
        return Problem("end of file", what, hint)
    return Problem(f"line {place[1]}, column {place[2]}", what, hint)
