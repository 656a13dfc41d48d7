"""HTML to plain text in one pass, without a tree: its time is linear, and depth means nothing to it.

The standard library's parser is quadratic on unclosed tags, and tree builders are slow or recurse on deep
nesting. A route that looks into a mail's text needs neither; a browser shows the mail to the agent.
"""

import html
import re
from collections.abc import Iterator

MAX_HTML = 256 * 1024
"""Characters that are read: what a person wrote stands at the beginning."""

_BREAK, _BLOCK, _PARAGRAPH = "\n", "\x01", "\x02"
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
_BLOCKS = frozenset({
    "address", "article", "aside", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form",
    "head", "header", "hr", "html", "li", "main", "nav", "section", "tbody", "tfoot", "thead", "tr",
})  # fmt: skip
_SKIPPED = {
    name: re.compile(f"</{name}", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "title", "noscript", "template", "svg", "math", "xml")
}

_MARK_UP = re.compile(r"<(?=[A-Za-z/!?])")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,30})")
_TAG_END = re.compile(r"""(?:[^"'>]|"[^"]*+"|'[^']*+')*+>""")
_SPACE = re.compile(r"[\x00-\x20]+")
_BREAKS = re.compile(r"[\x01\x02\n ]*[\x01\x02\n][\x01\x02\n ]*")
_PADDING = re.compile(r"[ \xa0\xad\u034f\u200b-\u200f\u2060\ufeff]{2,}")
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{7,});?")


def html_to_text(source: str) -> str:
    """The text that a reader would see, in lines. Never raises, whatever the source is."""
    joined = "".join(_Scanner(source[:MAX_HTML]).pieces())
    # html.unescape raises ValueError for a number of more than 4,300 digits.
    text = html.unescape(_HUGE_REFERENCE.sub("\ufffd", _BREAKS.sub(_line_feeds, joined)))
    return _PADDING.sub(" ", text).replace("\xa0", " ").strip()


def _line_feeds(run: re.Match[str]) -> str:
    """As a browser shows it: blocks that meet make one line end; a `br` at a block's end makes none of its own."""
    marks = run[0].replace(" ", "")
    if _PARAGRAPH in marks:
        return "\n\n"
    breaks = marks.count(_BREAK) + marks.startswith(_BLOCK)
    return "\n\n" if breaks > 1 else "\n"


class _Scanner:
    """A place in the source. What is once found open to the end is not looked for again: the time stays linear."""

    __slots__ = ("at", "quotes_close", "source", "unclosed")

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.quotes_close = True
        self.unclosed: set[str] = set()

    def pieces(self) -> Iterator[str]:
        """The text between the tags with plain spaces only, and a mark for each tag that makes a line end."""
        while markup := _MARK_UP.search(self.source, self.at):
            yield _SPACE.sub(" ", self.source[self.at : markup.start()])
            self.at = markup.start()
            yield self._mark_up()
        yield _SPACE.sub(" ", self.source[self.at :])

    def _mark_up(self) -> str:
        """Go past a tag, comment or declaration."""
        tag = _TAG.match(self.source, self.at)
        if tag:
            self._go_to(self._tag_end(tag.end()))
            return self._mark(tag[2].lower(), closing=bool(tag[1]))
        if self.source.startswith("<!--", self.at):
            end = self.source.find("-->", self.at + 2)
            self._go_to(end + 3 if end >= 0 else -1)
        else:
            self._go_to(self.source.find(">", self.at) + 1 or -1)
        return ""

    def _go_to(self, place: int) -> None:
        self.at = place if place >= 0 else len(self.source)

    def _tag_end(self, at: int) -> int:
        """The place after the tag's `>`. One inside a quoted attribute does not count, as long as quotes close."""
        if self.quotes_close:
            match = _TAG_END.match(self.source, at)
            if match:
                return match.end()
            self.quotes_close = False
        return self.source.find(">", at) + 1 or -1

    def _mark(self, name: str, *, closing: bool) -> str:
        if name in _SKIPPED and not closing and name not in self.unclosed:
            self._skip_content(name)
        if name in {"td", "th"}:
            return " "
        if name == "br":
            return _BREAK
        if name in _PARAGRAPHS:
            return _PARAGRAPH
        if name not in _BLOCKS:
            return ""
        return f"{_BLOCK}- " if name == "li" and not closing else _BLOCK

    def _skip_content(self, name: str) -> None:
        end = _SKIPPED[name].search(self.source, self.at)
        if end:
            self.at = end.start()
        else:
            self.unclosed.add(name)
