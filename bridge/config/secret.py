"""Secrets: where one is kept, and its value, which shows itself to nobody by accident."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_SECRET_BYTES = 64 * 1024
"""A secret's file may not be larger: what is larger is the wrong file."""


class Secret(BaseModel):
    """A secret by reference: `{credential=}` (systemd), `{file=}`, `{env=}`, or a plain string.

    The value is read when it is used, so that a rotated file is seen by the next sign-in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    credential: str | None = Field(
        None, min_length=1, description="Name of a systemd credential (LoadCredential=)."
    )
    file: Path | None = Field(None, description="Path of a file that holds the secret and nothing else.")
    env: str | None = Field(None, min_length=1, description="Name of an environment variable.")
    plain: str | None = Field(None, min_length=1, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _from_plain_string(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"plain": value}
        if not isinstance(value, dict):
            # A ValueError, as pydantic makes a problem of that only.
            raise ValueError('must be a text in quotes or a table such as { credential = "NAME" }')  # noqa: TRY004
        if "plain" in value:
            raise ValueError("a plain secret is written as a string, without a table")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "Secret":
        if sum(place is not None for place in (self.credential, self.file, self.env, self.plain)) != 1:
            raise ValueError("a secret is a string, or a table with exactly one of credential, file, env")
        return self

    def place(self) -> str:
        """Where the secret is kept, in words that may be shown."""
        match self:
            case Secret(credential=str(name)):
                return f"credential {name!r}"
            case Secret(file=Path() as path):
                return f"file {str(path)!r}"
            case Secret(env=str(name)):
                return f"environment variable {name!r}"
        return "the configuration file"

    def reveal(self, environ: Mapping[str, str] | None = None) -> str:
        """The secret itself, without the white space around it. Raises SecretError where it cannot be had."""
        value = self._read(os.environ if environ is None else environ).strip()
        if not value:
            raise SecretError(f"{self.place()} is empty")
        return value

    def _read(self, environ: Mapping[str, str]) -> str:
        if self.plain is not None:
            return self.plain
        if self.env is not None:
            return _read_env(self.env, environ)
        if self.file is not None:
            return _read_file(self.file)
        return _read_credential(str(self.credential), environ)


class SecretError(Exception):
    """A secret cannot be had: its file, credential or variable is missing, empty or unreadable."""


def _read_env(name: str, environ: Mapping[str, str]) -> str:
    try:
        return environ[name]
    except KeyError:
        raise SecretError(f"the environment variable {name!r} is not set") from None


def _read_credential(name: str, environ: Mapping[str, str]) -> str:
    """systemd.exec(5), LoadCredential=: the service manager names the folder in $CREDENTIALS_DIRECTORY."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise SecretError(
            f"credential {name!r} is given by systemd, and this process was not started by it "
            "($CREDENTIALS_DIRECTORY is not set)"
        )
    return _read_file(Path(folder) / name)


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(f"{str(path)!r} is larger than {MAX_SECRET_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{str(path)!r} is not UTF-8 text") from None
