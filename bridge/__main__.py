"""`python -m bridge`, the same as `acd-bridge`."""

from bridge.cli import main

main()
