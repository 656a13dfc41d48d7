"""A mail: from its bytes to a Message."""
