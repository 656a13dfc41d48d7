"""What can go wrong with a mail server, and what the server's own words say about it."""

import re
from enum import StrEnum

from bridge.errors import ImapError

MAX_WORDS = 200
"""A server's words are cut to so many characters before anybody sees them."""
NOT_CONNECTED = "authenticated but not connected"
"""Microsoft's words where the token is good and the mailbox cannot be opened with it."""
QUOTA_WAIT = 900.0
"""Seconds to leave an account alone whose limit of bytes or commands is used up; those last an hour or a day."""
MAX_ASKED_WAIT = 3600.0
"""A server may ask for a pause of at most so many seconds; what is longer is shortened."""

TRANSIENT_CODES = frozenset(
    {
        "UNAVAILABLE",
        "INUSE",
        "LIMIT",
        "OVERQUOTA",
        "SERVERBUG",
        "CONTACTADMIN",
        "THROTTLED",
    }
)
"""Response codes that blame the server's state, not the request (RFC 5530; THROTTLED is Gmail's)."""
FINAL_CODES = frozenset(
    {
        "AUTHENTICATIONFAILED",
        "AUTHORIZATIONFAILED",
        "EXPIRED",
        "PRIVACYREQUIRED",
        "NOPERM",
        "NONEXISTENT",
    }
)
"""Response codes that blame the request, whatever the words beside them say (RFC 5530)."""
BUSY_WORDS = (
    "too many",
    "throttl",
    "backoff",
    "try again later",
    "temporar",
    "unavailable",
    "maximum number of connections",
    "connection limit",
    "bandwidth limit",
    "rate limit",
    "not connected",
)
"""Servers without response codes say it in words; sign-in must not be taken as refused then."""


class Kind(StrEnum):
    """The kinds of failure, as they are in logs and in the metric `acd_bridge_imap_failures`."""

    DNS = "dns"  #: the host's name is not known
    UNREACHABLE = "unreachable"  #: refused, no route, reset while connecting
    TLS = "tls"  #: the TLS handshake or the certificate failed
    STARTTLS_MISSING = "starttls-missing"  #: the server offers no STARTTLS, or somebody takes it away
    SIGN_IN_REFUSED = "sign-in-refused"  #: user name or password is refused
    SECRET = "secret-missing"  #: the password cannot be read  # noqa: S105 - a kind of failure, no password
    TOKEN_UNAVAILABLE = "token-unavailable"  #: the token server cannot be asked  # noqa: S105 - as above
    TOKEN_THROTTLED = "token-throttled"  #: the token server asks to come later  # noqa: S105 - as above
    TOKEN_REFUSED = "token-refused"  #: the token server gives none: revoked, misconfigured  # noqa: S105 - as above
    NOT_CONNECTED = "not-connected"  #: signed in, but the mailbox cannot be opened; up to three times
    NO_ACCESS = "no-access"  #: the same, again and again: it must be permissions or the user name
    FOLDER_MISSING = "folder-missing"  #: the folder cannot be opened
    UIDVALIDITY_CHANGED = "uidvalidity-changed"  #: the folder's UIDs mean other messages than before
    BUSY = "server-busy"  #: the server asks to come later
    TIMED_OUT = "timed-out"  #: no answer in time
    LOST = "connection-lost"  #: the connection broke
    REFUSED = "command-refused"  #: NO or BAD to a command that every server knows
    PROTOCOL = "protocol"  #: an answer that IMAP does not allow
    STATE_FILE = "state-file"  #: nothing could be stored; the place in the folder is kept
    UNEXPECTED = "unexpected"  #: a defect of the bridge


class MailServerError(ImapError):
    """A mail server did not do what it was asked. `wait` is the pause in seconds that the server asked
    for.
    """

    def __init__(self, kind: Kind, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.wait = wait


NOT_CONNECTED_HINT = (
    "Microsoft 365 knows the token, but does not open the mailbox with it. Most often: the application's service "
    "principal lacks FullAccess (New-ServicePrincipal with the enterprise application's object ID, then "
    "Add-MailboxPermission -AccessRights FullAccess); username is not the shared mailbox's own address; the "
    "mailbox has too many sessions, or IMAP is off for it (Set-CASMailbox -ImapEnabled $true)"
)

_CODE = re.compile(r"\s*\[([A-Za-z][A-Za-z0-9-]*)")
_BACKOFF = re.compile(r"backoff time:?\s*(\d{1,12})\s*(milliseconds|ms|seconds|s)\b", re.IGNORECASE)


def response_code(words: str) -> str:
    """The response code of a status response in capitals, or nothing (RFC 9051 section 7.1)."""
    match = _CODE.match(words)
    return match[1].upper() if match else ""


def asked_wait(words: str) -> float:
    """The seconds that a server asks to wait (Exchange: `Suggested Backoff Time: 299910 milliseconds`), or 0.

    A limit that is used up asks for a long pause without saying so.
    """
    match = _BACKOFF.search(words)
    if not match:
        used_up = response_code(words) == "OVERQUOTA" or "bandwidth limit" in words.lower()
        return QUOTA_WAIT if used_up else 0.0
    seconds = int(match[1]) / (1000 if match[2].lower().startswith("m") else 1)
    return min(seconds, MAX_ASKED_WAIT)


def is_transient(words: str) -> bool:
    """Whether a NO or BAD blames the server's state, so that the same request may pass later."""
    code = response_code(words)
    if code in FINAL_CODES:
        return False
    lowered = words.lower()
    return code in TRANSIENT_CODES or any(word in lowered for word in BUSY_WORDS)


def shown(words: bytes | str, *hidden: str) -> str:
    """A server's words as they may be logged: printable, short, without any of the hidden texts."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    for secret in hidden:
        text = text.replace(secret, "...") if secret else text
    return "".join(sign for sign in text if sign.isprintable())[:MAX_WORDS]


def puts_off(words: str, said: str) -> MailServerError | None:
    """The failure that a NO, BAD or BYE means which blames the server's state or the account's; None where it
    blames the request. `said` is what happened, in words that may be shown.
    """
    if NOT_CONNECTED in words.lower():
        return MailServerError(Kind.NOT_CONNECTED, said, hint=NOT_CONNECTED_HINT)
    if is_transient(words):
        return MailServerError(Kind.BUSY, said, wait=asked_wait(words))
    return None
