"""Bytes in the character set that a mail names, rightly or wrongly.

Only sets of a closed table are looked up: Python's own lookup imports a module by the given name, remembers
every unknown name for ever, and knows codecs that are no character sets.
"""

import codecs
import re
from encodings.aliases import aliases

from bridge.intake.mail.iso2022_jp import JIS_X_0212, decode_windows

_NOT_A_CHARSET = frozenset({
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs",
})  # fmt: skip
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]")

# What mailers mean by a name that is narrower than what they send (as the WHATWG Encoding Standard has it), and
# names that Python does not know. Keys as `_key` makes them.
_MEANT = {
    "gb2312": "gb18030", "gbk": "gb18030", "gb231280": "gb18030", "euccn": "gb18030", "cp936": "gb18030",
    "xgbk": "gb18030", "windows936": "gb18030", "ms936": "gb18030", "csgb2312": "gb18030", "hzgb2312": "hz",
    "ksc56011987": "cp949", "ksc5601": "cp949", "euckr": "cp949", "windows949": "cp949", "korean": "cp949",
    "xeuckr": "cp949", "ksc56011989": "cp949",
    "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932", "windows31j": "cp932", "mskanji": "cp932",
    "xmscp932": "cp932", "xeucjp": "euc_jp",
    "iso2022jp": "iso2022_jp_ext", "iso2022jp1": "iso2022_jp_ext", "iso2022jpms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext", "csiso2022jp": "iso2022_jp_ext",
    "big5": "cp950", "big5eten": "cp950", "xxbig5": "cp950", "cnbig5": "cp950",
    "iso88591": "cp1252", "latin1": "cp1252", "l1": "cp1252", "usascii": "cp1252", "ascii": "cp1252",
    "ansix341968": "cp1252", "xansi": "cp1252", "ansi": "cp1252", "cp819": "cp1252", "windows28591": "cp1252",
    "iso88599": "cp1254", "latin5": "cp1254", "tis620": "cp874", "iso885911": "cp874", "windows874": "cp874",
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8", "logical": "iso8859_8", "visual": "iso8859_8",
    "iso88596i": "iso8859_6", "iso88596e": "iso8859_6",
    "unicode11utf7": "utf_7", "xunicode20utf7": "utf_7", "unicode11utf8": "utf_8", "utf8mb4": "utf_8",
    "xutf8": "utf_8", "koi8": "koi8_r", "xmacroman": "mac_roman", "xmaccyrillic": "mac_cyrillic",
}  # fmt: skip


def _key(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", name.lower())


def _table() -> dict[str, str]:
    """Every character set of Python by its names, and over it what mailers mean by them."""
    known = {_key(alias): codec for alias, codec in aliases.items() if codec not in _NOT_A_CHARSET}
    known |= {_key(codec): codec for codec in known.values()}
    return known | _MEANT | {"utf-8": "utf_8", "iso-8859-1": "cp1252", "us-ascii": "cp1252"}


_CODECS = _table()


def codec_of(name: str) -> str | None:
    """The codec for a character set's name (RFC 2978), or None where nobody knows it."""
    return _CODECS.get(name) or _CODECS.get(_key(name))


def decode(data: bytes, charset: str) -> str:
    """The text, whatever the bytes and the name are. Without a usable name it is guessed.

    What cannot be decoded becomes U+FFFD. The result may still hold control characters and, from UTF-7, lone
    surrogates.
    """
    codec = codec_of(charset)
    if codec is None or (codec == "cp1252" and not data.isascii()):
        return guess(data)
    if codec == "utf_8":
        return _decode_utf8(data)
    text = data.decode(codec, "replace")
    if codec == "iso2022_jp_ext" and "\ufffd" in text and JIS_X_0212 not in data:
        return decode_windows(data)
    return text


def guess(data: bytes, declared: str = "") -> str:
    """Raw 8-bit text: UTF-8 where it is that (RFC 6532), else what the mail declares, else windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        codec = codec_of(declared) or "cp1252"
    if codec == "utf_8":
        return _decode_utf8(data)
    return data.decode(codec, "replace")


def _decode_utf8(data: bytes) -> str:
    """Damaged UTF-8 keeps its sound characters; bytes without any sound one are taken for windows-1252."""
    text = data.decode("utf-8", "replace")
    if "\ufffd" in text and all(sign == "\ufffd" or sign.isascii() for sign in text):
        if _cut_short(data):
            return text
        return data.decode("cp1252", "replace")
    return text


def _cut_short(data: bytes) -> bool:
    """Whether the bytes are sound UTF-8 but for a last character that lacks its end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=False)
    except UnicodeDecodeError:
        return False
    return True
