"""How a helpdesk signs, as data: every scheme of docs/webhooks.md is one value of `Scheme`."""

import base64
import binascii
import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bridge.config.values import Table

HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
_PART = re.compile(r"\{(body|method|uri|timestamp|header:[a-z0-9-]+)\}")
_SIGNATURE_FORMS = {
    "hex": r"(?P<signature>[0-9A-Fa-f]{2,256})",
    "base64": r"(?P<signature>[A-Za-z0-9+/]{2,256}={0,2})",
    "text": r"(?P<signature>.{1,1024})",
}
_TIMESTAMP_FORM = r"(?P<timestamp>[0-9TZ:.+-]{1,40})"


class Timestamp(Table):
    """A signed time, so that a recorded request cannot be sent again much later."""

    header: HeaderName | None = Field(None, description="Its header; without one it stands in `shape`.")
    unit: Literal["s", "ms", "iso"] = Field(description="Unix seconds or milliseconds, or ISO 8601.")
    tolerance: float = Field(300.0, gt=0, description="Seconds that it may differ, before and after.")


class Scheme(Table):
    """One way of signing a request."""

    header: HeaderName = Field(description="The header with the signature, in lower case.")
    algorithm: Literal["hmac-sha1", "hmac-sha256", "ed25519", "plain"] = Field(
        description="`plain`: the header holds the secret itself."
    )
    shape: str = Field("{signature}", description="Its value, with `{signature}` and maybe `{timestamp}`.")
    several: bool = Field(default=False, description="Whether it holds several values, with spaces between.")
    encoding: Literal["hex", "base64", "text"] = Field("hex", description="How the signature is written.")
    key: Literal["utf8", "base64"] = Field("utf8", description="How the secret's text becomes the key.")
    key_prefix: str = Field("", description="What the secret must begin with; the key is what follows.")
    signed: tuple[str, ...] = Field(
        ("{body}",),
        strict=False,
        description="Its parts: `{body}`, `{timestamp}`, `{method}`, `{uri}`, `{header:NAME}`, or a text.",
    )
    timestamp: Timestamp | None = Field(None, description="The signed time.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.shape.count("{signature}") != 1:
            raise ValueError("shape must hold {signature} once")
        for part in self.signed:
            if "{" in part and _PART.fullmatch(part) is None:
                raise ValueError(f"{part!r} is no part that can be signed")
        if self._needs_timestamp_from_shape() and "{timestamp}" not in self.shape:
            raise ValueError("the time must have a header, or stand in the shape as {timestamp}")
        return self

    def _needs_timestamp_from_shape(self) -> bool:
        without_header = self.timestamp is None or self.timestamp.header is None
        return without_header and (self.timestamp is not None or "{timestamp}" in self.signed)

    @cached_property
    def form(self) -> re.Pattern[str]:
        """The form of one signature value, with the groups `signature` and maybe `timestamp`."""
        form = re.escape(self.shape).replace(r"\{signature\}", _SIGNATURE_FORMS[self.encoding])
        return re.compile(form.replace(r"\{timestamp\}", _TIMESTAMP_FORM), re.ASCII)

    def key_of(self, secret: str) -> bytes | None:
        """The key that the secret stands for, or None where the secret is not one of this scheme.

        The prefix is demanded: a public key taken for a shared secret would let everybody who knows it sign.
        """
        if not secret.startswith(self.key_prefix):
            return None
        text = secret.removeprefix(self.key_prefix)
        if self.key == "utf8":
            return text.encode(errors="surrogateescape") or None
        try:
            return base64.b64decode(text, validate=True) or None
        except (binascii.Error, ValueError):
            return None
