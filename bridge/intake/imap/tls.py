"""Whom to trust when a mail server shows its certificate."""

import ssl
from pathlib import Path

from bridge.intake.imap.failure import Kind, MailServerError


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """The system's certificates and those of `ca_file`. Raises MailServerError where the file cannot be
    used.
    """
    context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MailServerError(
            Kind.TLS,
            f"the certificates in {str(ca_file)!r} cannot be read",
            hint="ca_file must name a readable file in PEM form",
        ) from error
    return context
