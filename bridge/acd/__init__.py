"""The ACD: a typed client of its whole documented API, and a simulator of it."""
