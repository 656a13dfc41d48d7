from tests.dovecot import dovecot, shared_dovecot

__all__ = ["dovecot", "shared_dovecot"]
