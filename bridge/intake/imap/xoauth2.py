"""Sign-in with an access token: XOAUTH2 (Google and Microsoft) and OAUTHBEARER (RFC 7628). Pure."""

import base64
import binascii
from collections.abc import Set as AbstractSet

import orjson

from bridge.intake.imap.failure import Kind, MailServerError, puts_off, shown
from bridge.intake.imap.sign_in import SignIn

_END = "\x01"


def way_with_token(capabilities: AbstractSet[str], user: str, token: str) -> SignIn:
    """The command. The server's error is a continuation too, and waits for the last of the answers.

    Raises MailServerError where the server offers neither mechanism.
    """
    if "\0" in user or _END in user:
        raise MailServerError(
            Kind.SIGN_IN_REFUSED, "user name contains a control character", hint="correct it"
        )
    if "AUTH=XOAUTH2" in capabilities:
        text = f"user={user}{_END}auth=Bearer {token}{_END}{_END}"
        return _way(capabilities, "XOAUTH2", text, after_error=b"")
    if "AUTH=OAUTHBEARER" in capabilities:
        # RFC 5801 section 4: a comma and an equals sign stand escaped in the name.
        name = user.replace("=", "=3D").replace(",", "=2C")
        text = f"n,a={name},{_END}auth=Bearer {token}{_END}{_END}"
        return _way(capabilities, "OAUTHBEARER", text, after_error=b"AQ==")  # RFC 7628 section 3.2.3
    raise MailServerError(
        Kind.SIGN_IN_REFUSED,
        "the server offers no sign-in with OAuth on this connection",
        hint='most servers offer it only over TLS: use security = "tls"; else use a password',
    )


def _way(capabilities: AbstractSet[str], mechanism: str, text: str, *, after_error: bytes) -> SignIn:
    message = base64.b64encode(text.encode())
    if "SASL-IR" in capabilities:
        return SignIn("AUTHENTICATE", (mechanism, message.decode("ascii")), (after_error,))
    return SignIn("AUTHENTICATE", (mechanism,), (message, after_error))


def error_told(continuation: bytes) -> str:
    """The JSON of a refusal, such as `{"status":"401","schemes":"bearer"}`, in words; nothing where there
    is none.
    """
    try:
        told = orjson.loads(base64.b64decode(continuation.removeprefix(b"+").strip(), validate=True))
    except (binascii.Error, ValueError):
        return ""
    if not isinstance(told, dict):
        return ""
    facts = (
        f"{name} {told[name]}" for name in ("status", "error", "scope") if isinstance(told.get(name), str)
    )
    return shown(", ".join(facts))


def token_refusal(words: str, told: str, user: str, token: str) -> MailServerError:
    """What a NO or BAD to a sign-in with a token means: the token is not accepted, or the server is busy."""
    said = shown(f"{words} ({told})" if told else words, token, user)
    return puts_off(words, f"the server puts sign-in off: {said}") or MailServerError(
        Kind.SIGN_IN_REFUSED,
        f"the server refuses the access token: {said}",
        hint="check username; Microsoft 365: the application's service principal needs FullAccess to the mailbox "
        "(New-ServicePrincipal, Add-MailboxPermission), and IMAP must be on for it (Set-CASMailbox -ImapEnabled)",
    )
