"""What the error codes of token servers mean, and what to do about each.

Sources: RFC 6749 section 5.2; "Microsoft Entra authentication and authorization error codes"; Google's
"Using OAuth 2.0 to Access Google APIs".
"""

import re
from typing import Final

_NEW_SECRET = "make a new client secret in Entra (App registrations, Certificates & secrets)"  # noqa: S105 - it is a hint, no secret
_CONSENT = (
    "an administrator must grant the application the permission IMAP.AccessAsApp (Office 365 Exchange Online)"
)

AADSTS: Final = {
    "7000215": "client_secret is wrong: it must be the secret's value, not the secret's ID",
    "7000222": f"the client secret has expired: {_NEW_SECRET}",
    "7000112": "the application is disabled in Entra (Enterprise applications)",
    "700016": "the tenant has no such application: check client_id and tenant",
    "700027": "the client's certificate is not known to the application: use client_secret",
    "90002": "there is no such tenant: check tenant",
    "900023": "tenant is neither a domain nor an ID: check tenant",
    "900021": "tenant is neither a domain nor an ID: check tenant",
    "65001": _CONSENT,
    "650057": _CONSENT,
    "70011": "the scope does not fit this cloud: check token_url",
    "1002012": "the scope does not fit this cloud: check token_url",
    "53003": "a Conditional Access policy of the tenant blocks the application",
    "50173": "the grant was revoked: grant it anew, and write the new one into the configuration",
    "700082": "the refresh token was not used for too long: make a new one",
    "70043": "the refresh token was ended by a policy of the tenant: make a new one",
}
"""Hints by the number of Microsoft's code."""
AADSTS_TRANSIENT: Final = frozenset({"90033", "90012", "90024", "500023", "50089"})
"""Microsoft's own trouble, told with a status of the client's fault."""
AADSTS_THROTTLED: Final = frozenset({"50196", "90055"})
"""Too many requests, told with a status of the client's fault."""

ERRORS: Final = {
    "invalid_client": "check client_id and client_secret",
    "invalid_grant": "the grant is expired or revoked: make a new refresh token. Google ends those of applications "
    "in testing after 7 days. With a service account: check username, and this machine's clock",
    "unauthorized_client": "with a service account: allow its client ID the scope https://mail.google.com/ "
    "(Google Admin, Security, API controls, Domain-wide delegation); else check client_id",
    "access_denied": "the account's administrator does not allow this application",
    "admin_policy_enforced": "the account's administrator does not allow this application",
    "deleted_client": "the client was deleted: make another one",
    "disabled_client": "the client is disabled at the provider",
    "invalid_scope": "the provider does not know the scope: check token_url",
    "invalid_request": "check tenant, client_id and token_url",
}
"""Hints by the error of RFC 6749 and Google's additions."""
TRANSIENT_ERRORS: Final = frozenset(
    {"temporarily_unavailable", "server_error", "internal_failure", "timeout"}
)
THROTTLED_ERRORS: Final = frozenset(
    {"slow_down", "rate_limit_exceeded", "too_many_requests", "quota_exceeded"}
)

_CODE = re.compile(r"\bAADSTS(\d{4,9})\b")


def aadsts(description: str) -> str:
    """The number of Microsoft's code in an error's description, or nothing."""
    match = _CODE.search(description)
    return match[1] if match else ""


def hint_for(error: str, description: str) -> str:
    """What to do about a refusal: Microsoft's code says more than the error beside it."""
    known = AADSTS.get(aadsts(description)) or ERRORS.get(error)
    return known or "check the keys of oauth, and what the provider says of the application"
