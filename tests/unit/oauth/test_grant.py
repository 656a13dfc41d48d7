"""What is asked of a token server."""

import base64
import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from bridge.config.oauth import OAuth
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.grant import JWT_BEARER, grant_of

MICROSOFT = {"provider": "microsoft365", "tenant": "example.org", "client_id": "id", "client_secret": "s"}
GOOGLE = {"provider": "google", "client_id": "id", "client_secret": "s", "refresh_token": "r"}


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(key: Any = None, **more: Any) -> str:
    pem = (key or rsa_key()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = {"client_email": "bot@project.iam", "private_key_id": "k1", "private_key": pem.decode()}
    return json.dumps(file | more)


def form_of(settings: dict[str, Any], **more: Any) -> tuple[str, dict[str, str]]:
    given: dict[str, Any] = {"refresh_token": None, "now": 1_700_000_000} | more
    grant = grant_of(OAuth(**settings), "support@example.org", **given)
    return grant.url, dict(grant.form)


def test_client_credentials() -> None:
    """Microsoft is asked at the tenant's address, for the application's own rights."""
    url, form = form_of(MICROSOFT)
    assert url == "https://login.microsoftonline.com/example.org/oauth2/v2.0/token"
    assert form == {
        "grant_type": "client_credentials",
        "scope": "https://outlook.office365.com/.default",
        "client_id": "id",
        "client_secret": "s",
    }


def test_a_tenant_cannot_lead_elsewhere() -> None:
    """A tenant with slashes stays one part of the address."""
    url, _ = form_of(MICROSOFT | {"tenant": "../x/y"})
    assert url == "https://login.microsoftonline.com/..%2Fx%2Fy/oauth2/v2.0/token"


def test_refresh_tokens() -> None:
    """The newest refresh token is used: the kept one where there is one, else the configured one."""
    url, form = form_of(GOOGLE)
    assert url == "https://oauth2.googleapis.com/token"
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "r")
    assert form_of(GOOGLE, refresh_token="newer")[1]["refresh_token"] == "newer"


def test_own_address() -> None:
    """`token_url` stands for the provider's address."""
    url, _ = form_of(MICROSOFT | {"token_url": "https://login.example.org/token"})
    assert url == "https://login.example.org/token"


def test_service_account() -> None:
    """The statement is signed with RS256, names the mailbox's user, and holds for an hour."""
    url, form = form_of({"provider": "google", "service_account": key_file()})
    head, claims, signature = form["assertion"].split(".")
    rsa_key().public_key().verify(
        decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert json.loads(decoded(claims)) == {
        "iss": "bot@project.iam",
        "sub": "support@example.org",
        "scope": "https://mail.google.com/",
        "aud": url,
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    assert form["grant_type"] == JWT_BEARER


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", "{}", '{"private_key": "x", "client_email": "e"}', '{"private_key": 5}'],
)
def test_key_files_that_are_none(text: str) -> None:
    """A wrong file is a refusal that quotes nothing of it."""
    with pytest.raises(TokenFailure) as caught:
        form_of({"provider": "google", "service_account": text})
    assert caught.value.state is State.REFUSED
    assert "JSON" in caught.value.hint


def test_key_of_another_kind() -> None:
    """Google's keys are RSA keys; another one cannot sign what Google takes."""
    with pytest.raises(TokenFailure, match="no key file"):
        form_of({"provider": "google", "service_account": key_file(ec.generate_private_key(ec.SECP256R1()))})


def test_secret_that_is_missing() -> None:
    """A secret that cannot be read is named by its key and place."""
    with pytest.raises(TokenFailure, match=r"oauth.client_secret: .*NO_SUCH_VARIABLE"):
        form_of(MICROSOFT | {"client_secret": {"env": "NO_SUCH_VARIABLE"}})


def test_nothing_secret_is_shown() -> None:
    """Printing a grant shows no secret, and every secret of it is known for hiding."""
    grant = grant_of(OAuth.model_validate(GOOGLE), "u", refresh_token="rotated", now=0)
    assert "rotated" not in repr(grant)
    assert {"s", "rotated"} <= set(grant.secrets())


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
