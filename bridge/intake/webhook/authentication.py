"""Whether a request comes from the helpdesk that the webhook is for."""

from collections.abc import Callable

from bridge.config.secret import Secret
from bridge.errors import BridgeError
from bridge.intake.webhook.basic import fits_basic
from bridge.intake.webhook.secret_cache import SecretCache
from bridge.intake.webhook.signature import SignedRequest, verify
from bridge.intake.webhook.source import Source


class SecretsMissingError(BridgeError):
    """The request may be genuine, but a secret that could prove it cannot be had. The fault is ours."""


PASSWORD_WRONG = "password-wrong"  # noqa: S105 - a word for the log
_SEE_LOG = "the event webhook-secret-unusable in the log says why"


class Authentication:
    """Signature and password of one webhook; where the configuration names both, both must fit."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._secrets = [self._cache(secret, self._fits_a_scheme) for secret in source.webhook.secrets]
        basic = source.webhook.basic
        self._password = self._cache(basic.password, bool) if basic else None

    def refusal(self, request: SignedRequest, now: float) -> str | None:
        """Why the request is not believed, or None. Raises SecretsMissingError."""
        if self._secrets and (wrong := self._signature_refusal(request, now)):
            return wrong
        if self._password is not None:
            return self._password_refusal(self._password, request, now)
        return None

    def _signature_refusal(self, request: SignedRequest, now: float) -> str | None:
        values = [cache.value(now) for cache in self._secrets]
        secrets = [value for value in values if value is not None]
        tolerance = self._source.webhook.tolerance
        refusal = verify(self._source.schemes, secrets, request, now=now, tolerance=tolerance)
        if refusal is not None and len(secrets) < len(values):
            raise SecretsMissingError("a signature secret cannot be read", hint=_SEE_LOG)
        return refusal

    def _password_refusal(self, cache: SecretCache, request: SignedRequest, now: float) -> str | None:
        password, basic = cache.value(now), self._source.webhook.basic
        if password is None or basic is None:
            raise SecretsMissingError("the password cannot be read", hint=_SEE_LOG)
        fits = fits_basic(request.headers.get("authorization", ()), basic.username, password)
        return None if fits else PASSWORD_WRONG

    def _fits_a_scheme(self, secret: str) -> bool:
        return any(scheme.key_of(secret) is not None for scheme in self._source.schemes)

    def _cache(self, secret: Secret, usable: Callable[[str], bool]) -> SecretCache:
        return SecretCache(secret, webhook=self._source.name, usable=usable)
