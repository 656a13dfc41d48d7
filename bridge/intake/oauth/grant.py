"""What is asked of a token server: the address and the form, for each way that the configuration knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from bridge.config.oauth import OAuth
from bridge.config.secret import Secret, SecretError
from bridge.intake.oauth.assertion import read_service_account, signed_assertion
from bridge.intake.oauth.failure import State, TokenFailure

MICROSOFT_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
MICROSOFT_SCOPE = "https://outlook.office365.com/.default"
GOOGLE_URL = "https://oauth2.googleapis.com/token"
GOOGLE_SCOPE = "https://mail.google.com/"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Grant:
    """A request for a token."""

    url: str
    form: Mapping[str, str] = field(repr=False)

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, whoever repeats it."""
        return tuple(self.form.get(name, "") for name in ("client_secret", "refresh_token", "assertion"))


def token_url(oauth: OAuth) -> str:
    """Where tokens are asked for."""
    if oauth.token_url:
        return oauth.token_url
    if oauth.provider == "google":
        return GOOGLE_URL
    return MICROSOFT_URL.format(tenant=quote(oauth.tenant or "", safe=""))


def grant_of(oauth: OAuth, username: str, *, refresh_token: str | None, now: int) -> Grant:
    """The request as the configuration has it. Raises TokenFailure where a secret cannot be used.

    `refresh_token` is the newest one where it is not the configured one; `now` in seconds since 1970.
    """
    url = token_url(oauth)
    if oauth.provider == "microsoft365":
        return Grant(url, _client(oauth) | {"grant_type": "client_credentials", "scope": MICROSOFT_SCOPE})
    if oauth.service_account is not None:
        account = read_service_account(revealed(oauth.service_account, "service_account"))
        assertion = signed_assertion(account, subject=username, audience=url, scope=GOOGLE_SCOPE, now=now)
        return Grant(url, {"grant_type": JWT_BEARER, "assertion": assertion})
    token = refresh_token or revealed(oauth.refresh_token, "refresh_token")
    return Grant(url, _client(oauth) | {"grant_type": "refresh_token", "refresh_token": token})


def revealed(secret: Secret | None, key: str) -> str:
    """The secret of this key. Raises TokenFailure where it cannot be read."""
    assert secret is not None  # noqa: S101 - the model has seen to it
    try:
        return secret.reveal()
    except SecretError as error:
        raise TokenFailure(State.REFUSED, f"oauth.{key}: {error}", hint=f"check oauth.{key}") from error


def _client(oauth: OAuth) -> dict[str, str]:
    return {
        "client_id": oauth.client_id or "",
        "client_secret": revealed(oauth.client_secret, "client_secret"),
    }
