"""docs/failure-modes.md stays true: forty entries, each with tests that exist, and no claim to be whole that is not."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failure-modes.md").read_text()
ENTRIES = {
    int(found[1]): found[2]
    for found in re.finditer(r"^### (\d+)\. (.+?)(?=^#{2,3} |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
PART = re.compile(r"^- \*([A-Z][a-z ]+):\* (.+?)(?=^- \*|\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def parts(entry: str) -> dict[str, str]:
    """The parts of an entry (Elsewhere, Here, Missing, Tests, Cannot happen), each on one line."""
    return {name: " ".join(text.split()) for name, text in PART.findall(entry)}


@cache
def functions_of(file: str) -> frozenset[str]:
    """The names of the test functions of a file; none where there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(one.name for one in functions if one.name.startswith("test_"))


def missing_tests(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    return [f"{file}::{name}" for file, name in TEST.findall(text) if name not in functions_of(file)]


def test_there_are_forty_entries() -> None:
    """They are numbered without a gap."""
    assert list(ENTRIES) == list(range(1, 41))


@pytest.mark.parametrize("number", ENTRIES)
def test_each_entry_says_what_goes_wrong_and_what_happens_here(number: int) -> None:
    """Each names a test that is there, or says why it cannot happen or what is not done."""
    found = parts(ENTRIES[number])
    assert list(found)[:2] == ["Elsewhere", "Here"]
    assert set(found) <= {"Elsewhere", "Here", "Missing", "Cannot happen", "Tests"}
    assert TEST.search(found.get("Tests", "")) or found.get("Missing") or found.get("Cannot happen")


@pytest.mark.parametrize("number", ENTRIES)
def test_each_named_test_is_there(number: int) -> None:
    """A test that was renamed or removed shows here; every word in code quotes that looks like one is looked at."""
    assert missing_tests(ENTRIES[number]) == []
    assert ENTRIES[number].count("`tests/") == len(TEST.findall(ENTRIES[number]))


def test_what_is_not_whole_is_listed_at_the_top() -> None:
    """The list of what is missing is that of the entries, so that nobody must read forty of them for it."""
    listed = re.search(r"^Not whole: ([\d, ]+)\.", PAGE, re.MULTILINE)
    assert listed
    assert [int(one) for one in listed[1].split(",")] == [
        number for number, entry in ENTRIES.items() if "Missing" in parts(entry)
    ]


def test_links_to_sections_lead_to_headings() -> None:
    """A link to a section of another page names a heading that the page has."""
    for page, anchor in re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", PAGE):
        titles = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_check_finds_what_it_looks_for() -> None:
    """Neither a missing file nor a missing function passes, and a test that is there does."""
    here = "tests/unit/test_failure_modes_page.py"
    assert missing_tests(f"`{here}::test_there_are_forty_entries`") == []
    assert missing_tests(f"`{here}::test_nothing`, `tests/unit/test_none.py::test_x`") == [
        f"{here}::test_nothing",
        "tests/unit/test_none.py::test_x",
    ]
    assert parts("x\n\n- *Elsewhere:* a\n  b\n- *Here:* c\n") == {"Elsewhere": "a b", "Here": "c"}
