"""The mailbox's access token, as sign-in needs it: its failures are failures of the mailbox."""

import time

from bridge.config.mailbox import Mailbox
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.tls import tls_context
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.source import AccessToken, TokenSource
from bridge.intake.oauth.store import RefreshTokens

_KINDS = {
    State.TRANSIENT: Kind.TOKEN_UNAVAILABLE,
    State.THROTTLED: Kind.TOKEN_THROTTLED,
    State.REFUSED: Kind.TOKEN_REFUSED,
}


def token_source(mailbox: Mailbox, store: RefreshTokens | None) -> TokenSource | None:
    """Where the mailbox's tokens come from; None where it signs in with a password."""
    if mailbox.oauth is None:
        return None
    return TokenSource(
        mailbox.name,
        mailbox.oauth,
        mailbox.username,
        tls=lambda: tls_context(mailbox.ca_file),
        clock=time.time,
        store=store,
    )


async def token_for(source: TokenSource, *, not_this: AccessToken | None = None) -> AccessToken:
    """As `TokenSource.token`. Raises MailServerError."""
    try:
        return await source.token(not_this=not_this)
    except TokenFailure as failure:
        raise MailServerError(
            _KINDS[failure.state], failure.message, hint=failure.hint, wait=failure.wait
        ) from failure
