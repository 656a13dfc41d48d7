"""Whether stderr is the journal is told by its device and inode."""

import os
import socket

from bridge.service.lines import is_journal, line_format


def test_only_the_named_socket_is_the_journal() -> None:
    """The stream counts as the journal when $JOURNAL_STREAM names its device and inode, and not otherwise."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs, ours.makefile("w") as stream:
        there = os.fstat(ours.fileno())
        name = f"{there.st_dev}:{there.st_ino}"
        assert is_journal(stream, name)
        assert not is_journal(stream, f"{there.st_dev}:{there.st_ino + 1}")
        line = line_format(stream, {"JOURNAL_STREAM": name})(
            None, "warning", {"event": "x", "level": "warning"}
        )
        assert line == b'<4>{"level":"warning","event":"x"}'
