"""Address lists (RFC 5322 section 3.4) as mailers really write them: one pass, no recursion, no exception."""

import re
from dataclasses import dataclass

from bridge.intake.mail.clean import one_line
from bridge.intake.mail.encoded_word import decode_words

MAX_ADDRESSES = 1000
MAX_ADDRESS = 320
"""64 + 1 + 255 octets (RFC 5321 section 4.5.3.1); a longer one cannot be answered."""
MAX_NAME = 256
_MAX_ANGLE = 2000

# Most mailboxes have one of two simple forms and are read by one match each; the others need the scanner.
# Possessive quantifiers, since a run of spaces would make backtracking quadratic.
_SIMPLE = re.compile(
    r'(?:(?:"(?P<quoted>[^"\\]*+)"\s*+|(?P<phrase>[^"\\(),:;<>@\[\]]*+))<(?P<angle>[^\s"\\(),:;<>@]++@[^\s"\\(),:;<>@]++)>'
    r'|(?P<bare>[^\s"\\(),:;<>@]++@[^\s"\\(),:;<>@]++)'
    r")\s*+(?:[,;][\s,;]*+|\Z)"
)
_SEPARATORS = re.compile(r"[\s,;]+")
_SPACE = re.compile(r"\s+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD = re.compile(r'=\?[^?=\s]{1,80}\?[bBqQ]\?[^?"<>]*\?=|[^\s"(),:;<>]+')
_COMMENT_SIGN = re.compile(r"\\.|[()]", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)")
_USABLE = re.compile(r'(?:"[^"\x00-\x1f]+"|[^\s"<>,;()@]+)@[^\s@"<>,;:()]*[^\s@"<>,;:().]')
_ANYWHERE = re.compile(r"[^\s\"'<>,;:()\[\]@]{1,64}@[^\s\"'<>,;:()\[\]@]{1,256}")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: the address as `local@domain` in its own case, and the name shown with it."""

    address: str
    name: str = ""


def read_addresses(value: str, limit: int = MAX_ADDRESSES) -> tuple[list[Address], bool]:
    """The usable addresses of a list in their order, at most `limit`, and whether some were left out.

    The value is unfolded or not, its encoded words not yet decoded. What has no `@` is no usable address.
    """
    found: list[Address] = []
    scanner = _Scanner(value)
    while scanner.at < len(scanner.text):
        mailbox = scanner.simple() or scanner.mailbox()
        if mailbox.address:
            if len(found) == limit:
                return found, True
            found.append(mailbox)
    return found, False


def first_address(value: str) -> Address | None:
    """The first usable address of a field that should have one, or None. It is looked for harder than in a list."""
    found, _ = read_addresses(value, 1)
    if not found and "=?" in value:
        value = decode_words(value)
        found, _ = read_addresses(value, 1)
    if found:
        return found[0]
    anywhere = _ANYWHERE.search(value)
    address = usable(anywhere[0]) if anywhere else ""
    return Address(address) if address else None


def usable(text: str) -> str:
    """The address in the text of one angle bracket or word, repaired; empty where there is none."""
    text = one_line(decode_words(text))
    if "(" in text:
        text = _COMMENT.sub("", text)
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    if text.startswith("@"):  # a source route, RFC 5322 section 4.4
        text = text.rpartition(":")[2]
    if '"' not in text:
        text = _SPACE.sub("", text)
    text = text.strip("'`.[] ") if text[:1] in "'`[" else text.rstrip(".")
    return text if len(text) <= MAX_ADDRESS and _USABLE.fullmatch(text) else ""


def _shown(name: str) -> str:
    return one_line(" ".join(decode_words(name).split()), MAX_NAME) if name else ""


class _Scanner:
    """A place in an address list. Each method moves it on by at least one character."""

    __slots__ = ("at", "comments_close", "quotes_close", "text")

    def __init__(self, text: str) -> None:
        self.text = text.strip(" \t\n,;")
        self.at = 0
        # Once a quote or comment is found open to the end, no later one is looked for: the time stays linear.
        self.quotes_close = True
        self.comments_close = True

    def simple(self) -> Address | None:
        """One mailbox of the usual form; None for the others, which `mailbox` reads."""
        match = _SIMPLE.match(self.text, self.at)
        if not match:
            return None
        address = match["angle"] or match["bare"]
        if address[-1] == "." or address[0] in "'`[" or "=?" in address:
            return None
        if len(address) > MAX_ADDRESS or not address.isprintable():
            return None
        self.at = match.end()
        return Address(address, _shown(match["quoted"] or match["phrase"] or ""))

    def mailbox(self) -> Address:
        """One mailbox up to its comma; a group's name is dropped and its members are read one by one."""
        words: list[str] = []
        angles: list[str] = []
        comments: list[str] = []
        while self.at < len(self.text):
            sign = self.text[self.at]
            if sign in ",;":
                self.at = _SEPARATORS.match(self.text, self.at).end()  # type: ignore[union-attr]  # one is there
                break
            if sign == ":":
                self.at += 1
                words.clear()
            elif sign == "<":
                angles.append(self._angle())
            elif sign == "(":
                comments.append(self._comment())
            elif sign == '"':
                words.append(self._quoted())
            elif sign.isspace() or sign in ">)":
                self.at += 1
            else:
                words.append(self._word())
        return _assembled(words, angles, comments)

    def _word(self) -> str:
        match = _WORD.match(self.text, self.at)
        self.at = match.end() if match else self.at + 1
        return match[0] if match else ""

    def _quoted(self) -> str:
        match = _QUOTED.match(self.text, self.at) if self.quotes_close else None
        if match is None:
            self.quotes_close = False
            self.at += 1
            return ""
        self.at = match.end()
        return match[0]

    def _comment(self) -> str:
        """A comment without its outer parentheses; they nest (RFC 5322 section 3.2.2)."""
        depth, start = 0, self.at
        for match in _COMMENT_SIGN.finditer(self.text, start) if self.comments_close else ():
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth == 0:
                self.at = match.end()
                return _PAIR.sub(r"\1", self.text[start + 1 : match.start()])
        self.comments_close = False
        self.at += 1
        return ""

    def _angle(self) -> str:
        """What stands in angle brackets; without a closing one, what stands before the next space or comma."""
        start = self.at + 1
        end = self.text.find(">", start, start + _MAX_ANGLE)
        following = self.text.find("<", start, start + _MAX_ANGLE)
        if end >= 0 and not 0 <= following < end:
            self.at = end + 1
            return self.text[start:end]
        self.at = start
        return self._word() if _WORD.match(self.text, start) else ""


def _assembled(words: list[str], angles: list[str], comments: list[str]) -> Address:
    """The address is in angle brackets, else among the words; the name is what is left, else a comment."""
    address = next(filter(None, map(usable, angles)), "")
    rest = [word for word in words if word]
    if not address:
        rest = _merged(rest)
        for number, word in enumerate(rest):
            address = usable(word) if "@" in word and not word.endswith('"') else ""
            if address:
                del rest[number]
                break
    name = " ".join(_unquoted(word) for word in rest) or " ".join(filter(None, comments))
    return Address(address, _shown(name)) if address else Address("")


def _merged(words: list[str]) -> list[str]:
    """Words joined where white space stood around the `@` or a dot of the domain (RFC 5322 section 4.4)."""
    merged: list[str] = []
    for word in words:
        if merged and _belong_together(merged[-1], word):
            merged[-1] += word
        else:
            merged.append(word)
    return merged


def _belong_together(before: str, word: str) -> bool:
    at_sign = word[0] == "@" or before[-1] == "@"
    return at_sign or ("@" in before and "@" not in word and "." in (word[0], before[-1]))


def _unquoted(word: str) -> str:
    return _PAIR.sub(r"\1", word[1:-1]) if word[0] == '"' and len(word) > 1 else word
