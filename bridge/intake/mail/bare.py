"""The least of a header that makes an event: for a mail whose whole header must not be read."""

FIELDS = (b"from:", b"subject:", b"message-id:", b"date:", b"references:", b"in-reply-to:")
"""References too: without them the mail would leave its conversation, and might overtake what came before it."""
MAX_LINE = 256
"""Bytes kept of a field."""


def bare_header(header: bytes) -> bytes:
    """The first line of each of these fields, cut, without anything that is not plain ASCII."""
    lines: dict[bytes, bytes] = {}
    for line in header.split(b"\n"):
        name = line[: line.find(b":") + 1].lower()
        if name in FIELDS and name not in lines:
            lines[name] = bytes(byte if 32 <= byte < 127 else 63 for byte in line[:MAX_LINE].rstrip())
    return b"".join(line + b"\r\n" for line in lines.values()) + b"\r\n"
