"""The signed statement by which a Google service account asks for a token (RFC 7523, RFC 7515)."""

import base64
from dataclasses import dataclass, field

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bridge.intake.oauth.failure import State, TokenFailure

LIFE = 3600
"""Seconds that the statement holds; Google takes no longer ones."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What is needed of a service account's key file."""

    email: str
    key_id: str
    key: rsa.RSAPrivateKey = field(repr=False)


def read_service_account(text: str) -> ServiceAccount:
    """A key file as the Google Cloud console gives it. Raises TokenFailure, without a word of the file."""
    try:
        file = orjson.loads(text)
        key = serialization.load_pem_private_key(file["private_key"].encode(), password=None)
        email, key_id = str(file["client_email"]), str(file.get("private_key_id", ""))
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        raise _unreadable() from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unreadable()
    return ServiceAccount(email, key_id, key)


def signed_assertion(account: ServiceAccount, *, subject: str, audience: str, scope: str, now: int) -> str:
    """A JWT with RS256 (RFC 7518 section 3.3). `now` is in seconds since 1970."""
    head = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    claims = {
        "iss": account.email,
        "sub": subject,
        "scope": scope,
        "aud": audience,
        "iat": now,
        "exp": now + LIFE,
    }
    signing = f"{_part(orjson.dumps(head))}.{_part(orjson.dumps(claims))}"
    signature = account.key.sign(signing.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing}.{_part(signature)}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _unreadable() -> TokenFailure:
    return TokenFailure(
        State.REFUSED,
        "oauth.service_account is no key file of a service account",
        hint="it must be the JSON file that the Google Cloud console gives for a new key",
    )
