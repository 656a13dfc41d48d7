"""The command line: parses, calls, prints."""

import gc
import sys

from bridge.cli.common import EXIT_USAGE, say
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
    try:
        commands()
    except (UnicodeEncodeError, TypeError):  # the second is how orjson says it
        if _is_text(" ".join(sys.argv)):
            raise
        say("error: a word of the command line is no text in UTF-8")
        sys.exit(EXIT_USAGE)


def _is_text(words: str) -> bool:
    """Whether it is; bytes that are none stand in it as lone surrogates (os.fsdecode)."""
    return not any("\ud800" <= sign <= "\udfff" for sign in words)
