"""What the tables of the configuration are made of: their common base, addresses and zones."""

from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def http_url(value: str) -> str:
    """An absolute address, without a slash at its end. Raises ValueError."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if any(sign in value for sign in " ?#") or "@" in value or not value.isprintable():
        raise ValueError("must be a plain address, without user, query or spaces")
    if not _names_a_host(value):
        raise ValueError("must name a host and no impossible port")
    return value.rstrip("/")


def known_form(host: str) -> str:
    """The name or number of a host, as a resolver takes it. Raises ValueError."""
    try:
        host.encode("idna")  # as the sockets of Python do it
    except UnicodeError:
        raise ValueError("is no name of a host") from None
    if not host.isprintable() or " " in host:
        raise ValueError("is no name of a host")
    return host


HostName = Annotated[str, AfterValidator(known_form)]


def _names_a_host(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return (
            parts.scheme in {"http", "https"} and bool(known_form(parts.hostname or "")) and parts.port != 0
        )
    except ValueError:  # its words are about the parts of an address, which people do not think in
        return False


HttpUrl = Annotated[str, AfterValidator(http_url)]


def safe_url(value: str) -> str:
    """An address that secrets may be sent to: https, or this machine itself. Raises ValueError."""
    url = http_url(value)
    if not url.startswith("https://") and urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("must begin with https://, since secrets are sent there")
    return url


SafeUrl = Annotated[str, AfterValidator(safe_url)]


def hook_url(value: str) -> str:
    """An address to post to, kept as it is: its last slash and its query count. Raises ValueError."""
    if not _names_a_host(value):
        raise ValueError("must begin with http:// or https://, and name a host and no impossible port")
    parts = urlsplit(value)
    if "@" in parts.netloc or parts.fragment or not value.isprintable() or " " in value:
        raise ValueError("must be a plain address, without user, fragment or spaces")
    return value


HookUrl = Annotated[str, AfterValidator(hook_url)]


def known_zone(value: str) -> str:
    """The name of a time zone, or nothing. Raises ValueError."""
    try:
        if value:
            ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("is no time zone that this machine knows") from None
    return value


ZoneName = Annotated[str, AfterValidator(known_zone)]


class Address(BaseModel):
    """A host and port to listen on."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int = Field(ge=0, le=65535)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise ValueError('must be HOST:PORT, such as "127.0.0.1:8080" or "[::1]:8080"')
        return {"host": known_form(host.removeprefix("[").removesuffix("]")), "port": int(port)}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Table(BaseModel):
    """What all tables of the file share: frozen, strict, no unknown keys, no secrets in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
