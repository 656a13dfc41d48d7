"""The command line: parses, calls, prints."""

import gc
import sys

from bridge.cli.root import FILES, command_line


def main() -> None:
    """The command `acd-bridge`."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    # Loading makes no garbage, and what is loaded stays: the collector would only look at it again and again.
    gc.disable()
    # A command that is called by its name loads its own file only: half a second less for most of them.
    commands = command_line([first] if first in FILES else FILES)
    gc.freeze()
    gc.enable()
    commands()
