"""ISO-2022-JP as Windows writes it (CP50221): with the vendor's signs, which Python's codecs do not know.

Row 13 of the NEC signs (such as the numero sign and circled digits) and the IBM signs are in CP932. Each two-byte
sign is turned into its bytes there.
"""

import re

_SHIFT = re.compile(rb"\x1b(\$[@B]|\$\([@B]|\([BJI])")
_TWO_BYTES = frozenset({b"$@", b"$B", b"$(@", b"$(B"})
_KATAKANA = b"(I"
JIS_X_0212 = b"\x1b$(D"
"""The shift to supplementary signs, which CP932 does not have."""
_FIRST, _LAST = 0x21, 0x7E


def decode_windows(data: bytes) -> str:
    """The text; what has no meaning becomes U+FFFD. Never raises."""
    begin, mode = 0, b"(B"
    text: list[str] = []
    for shift in _SHIFT.finditer(data):
        text.append(_decoded(data[begin : shift.start()], mode))
        begin, mode = shift.end(), shift[1]
    text.append(_decoded(data[begin:], mode))
    return "".join(text)


def _decoded(data: bytes, mode: bytes) -> str:
    if mode in _TWO_BYTES:
        return "".join(_sign(data[at : at + 2]) for at in range(0, len(data), 2))
    if mode == _KATAKANA:
        return bytes(byte | 0x80 for byte in data).decode("cp932", "replace")
    return data.decode("ascii", "replace")


def _sign(pair: bytes) -> str:
    """One sign of two bytes (JIS X 0208 row and cell), by its place in CP932."""
    if len(pair) != 2 or not all(_FIRST <= byte <= _LAST for byte in pair):
        return "\ufffd" if pair.strip(b"\r\n\t ") else ""
    row, cell = pair
    lead = (row - 0x21) // 2 + (0x81 if row < 0x5F else 0xC1)
    odd_row = cell + (0x1F if cell < 0x60 else 0x20)
    trail = odd_row if row % 2 else cell + 0x7E
    return bytes((lead, trail)).decode("cp932", "replace")
