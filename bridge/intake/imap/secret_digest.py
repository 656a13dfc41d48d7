"""Whether somebody has changed a mailbox's secrets since they were last tried."""

import hashlib

from bridge.config.load import secrets_of
from bridge.config.mailbox import Mailbox
from bridge.config.secret import SecretError


def secret_digest(mailbox: Mailbox) -> bytes:
    """A digest of all secrets of the mailbox as they are now; one that cannot be read counts as empty."""
    digest = hashlib.sha256()
    for key, secret in secrets_of(mailbox):
        try:
            value = secret.reveal()
        except SecretError:
            value = ""
        digest.update(f"{key}\0{value}\0".encode("utf-8", "surrogatepass"))
    return digest.digest()
