"""Sign-in with OAuth 2.0, as the configuration has it."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.config.secret import Secret
from bridge.config.values import SafeUrl, Table

OAUTH_KEYS = ("tenant", "client_id", "client_secret", "service_account", "refresh_token")
OAUTH_WAYS: dict[str, tuple[set[str], ...]] = {
    "microsoft365": ({"tenant", "client_id", "client_secret"},),
    "google": ({"service_account"}, {"client_id", "client_secret", "refresh_token"}),
}
"""The keys that go together, by provider."""


class OAuth(Table):
    """Sign-in with OAuth 2.0 in place of a password."""

    provider: Literal["microsoft365", "google"] = Field(
        description="`microsoft365` (client credentials), or `google` (a service account, or a refresh token)."
    )
    tenant: str | None = Field(
        None, min_length=1, description="Microsoft: the tenant's ID or one of its domains."
    )
    client_id: str | None = Field(None, min_length=1, description="The application's (client) ID.")
    client_secret: Secret | None = Field(None, description="The application's client secret.")
    service_account: Secret | None = Field(
        None,
        description="Google: the JSON key file of a service account that may act for `username` "
        "(domain-wide delegation).",
    )
    refresh_token: Secret | None = Field(
        None, description="Google: a refresh token of the account, beside `client_id` and `client_secret`."
    )
    secret_expires: date | None = Field(
        None,
        description="The day on which the first of these secrets ends, as the provider shows it (`2027-03-01`). The "
        "log warns 14 and 7 days before, and alarms on the last day and after it.",
    )
    token_url: SafeUrl | None = Field(
        None, description="Where tokens are asked for; the provider's where it is not given."
    )

    @model_validator(mode="after")
    def _as_the_provider_wants_it(self) -> Self:
        given = {name for name in OAUTH_KEYS if getattr(self, name) is not None}
        ways = OAUTH_WAYS[self.provider]
        if given not in ways:
            wanted = " or ".join(", ".join(sorted(way)) for way in ways)
            raise ValueError(f"provider {self.provider!r} wants exactly {wanted}")
        return self
