"""acd-bridge: shared mailboxes and helpdesk webhooks become AcdEvents of a contact centre's ACD."""

__version__ = "0.1.0"
