"""OAuth 2.0 on the client's side (RFC 6749): from what the configuration names to an access token."""
