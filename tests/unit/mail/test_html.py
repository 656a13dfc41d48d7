"""HTML to text."""

import time

import pytest

from bridge.intake.mail.html import html_to_text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Hello <b>you</b></p><p>Bye</p>", "Hello you\n\nBye"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a<br><br>b", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<div>a<br></div><div>b</div>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("a &lt;b&gt; &amp; &uuml; &#8364; &#xfc;", "a <b> & ü € ü"),
        ("a\n  b\t c", "a b c"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<style>p {}</style>a<script>if (1 < 2) x();</script>b", "ab"),
        ("<head><title>t</title></head>a", "a"),
        ("<style>never closed <p>a", "never closed\n\na"),
        ("a<!-- b > c -->d<!DOCTYPE x>e<?xml y?>f", "adef"),
        ('<a title="1 > 2" href=x>a</a>', "a"),
        ('<a title="it\'s">a</a>', "a"),
        ('<a title="unclosed>a</a> b', "a b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("a&nbsp;b", "a b"),
        ("a&zwnj;&nbsp;&zwnj;&nbsp;b", "a b"),
        ("a<!-- never closed", "a"),
        ("a<b", "a"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("", ""),
    ],
)
def test_what_a_reader_would_see(source: str, expected: str) -> None:
    """Text, line ends and entities; no scripts, comments or tags."""
    assert html_to_text(source) == expected


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<!--", "<!", "<![CDATA[", "<?", "<div>", "&", "<a a=", '<a a="', "<a '>", "<a '\"", "</", "<script>",
     "<SCRIPT><style>", "<table><tr><td>", "<br> ", "&#9", "<", "\xa0x", "<b><p>"],
)  # fmt: skip
def test_hostile_sources_take_linear_time(piece: str) -> None:
    """A megabyte of any one oddity is done within two seconds, whatever its depth."""
    begin = time.process_time()
    html_to_text(piece * (1024 * 1024 // len(piece)))
    assert time.process_time() - begin < 2
