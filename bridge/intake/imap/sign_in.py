"""How to sign in: which command, in which form (RFC 9051 sections 6.2.2 and 6.2.3)."""

import base64
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bridge.intake.imap.failure import Kind, MailServerError, puts_off, shown
from bridge.intake.imap.grammar import quoted


@dataclass(frozen=True, slots=True)
class SignIn:
    """A command, its arguments, and the lines that answer the server's continuations, one for one."""

    command: str
    arguments: tuple[str, ...]
    answers: tuple[bytes, ...] = ()


def way_to_sign_in(capabilities: AbstractSet[str], user: str, password: str) -> SignIn:
    """LOGIN where it is possible, since every server has it; AUTHENTICATE PLAIN for what LOGIN cannot say.

    Raises MailServerError where the server offers neither.
    """
    plain_text = f"{user}{password}"
    if "\0" in plain_text:
        raise MailServerError(Kind.SIGN_IN_REFUSED, "user name or password contains a NUL", hint="correct it")
    may_login = "LOGINDISABLED" not in capabilities
    if may_login and plain_text.isascii() and plain_text.isprintable():
        return SignIn("LOGIN", (quoted(user), quoted(password)))
    if "AUTH=PLAIN" in capabilities:
        return _plain(capabilities, user, password)
    if may_login:
        return _login_with_literals(user.encode(), password.encode())
    raise MailServerError(
        Kind.SIGN_IN_REFUSED,
        "the server allows no sign-in with a password on this connection",
        hint='most servers allow it only over TLS: use security = "tls" or "starttls"',
    )


def _plain(capabilities: AbstractSet[str], user: str, password: str) -> SignIn:
    """RFC 4616; with SASL-IR (RFC 4959) the answer goes with the command."""
    message = base64.b64encode(f"\0{user}\0{password}".encode())
    if "SASL-IR" in capabilities:
        return SignIn("AUTHENTICATE", ("PLAIN", message.decode("ascii")))
    return SignIn("AUTHENTICATE", ("PLAIN",), (message,))


def _login_with_literals(user: bytes, password: bytes) -> SignIn:
    """A quoted string holds ASCII only; a literal holds every byte but NUL."""
    return SignIn("LOGIN", (f"{{{len(user)}}}",), (user + b" {%d}" % len(password), password))


def refusal(words: str, user: str, password: str) -> MailServerError:
    """What a NO or BAD to the sign-in means: the password is wrong, or the server is busy."""
    said = shown(words, password, user)
    return puts_off(words, f"the server puts sign-in off: {said}") or MailServerError(
        Kind.SIGN_IN_REFUSED,
        f"the server refuses user name or password: {said}",
        hint="check username and password; with two-factor sign-in an app password is needed",
    )
