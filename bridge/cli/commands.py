"""The whole command line, with every command loaded: for the help, the documentation and tests."""

from bridge.cli.root import FILES, command_line

app = command_line(FILES)
