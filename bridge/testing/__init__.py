"""Fakes that ship with the package; each passes the same conformance suite as the real thing."""
