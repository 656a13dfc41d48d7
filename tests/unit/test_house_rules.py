"""Rules of the house that no linter knows."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("bridge", "tests", "docs", "config", "systemd", ".ci")
TOP_FILES = (
    "Makefile", "README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt", ".gitignore",
)  # fmt: skip
TEXTS = {".py", ".md", ".toml", ".html", ".css", ".service", ".txt", ".sql", ".json", ".yml", ""}

MAX_LINES = 400
SLEEPS_ALLOWED = {"tests/wait.py", "tests/dovecot.py"}
"""Bounded polls of a condition: in a loop, and for a process to answer. All others use these; benches are no tests."""

REASONED = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^\]]*\])?)(?P<after>.*)"
)
MARKS = re.compile(r"(?:[#;/*-]|<!--)\s*(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
REGISTRIES = re.compile(
    r"--(?:extra-)?index-url|\"resolved\":|https?://\S+\.(?:whl|tgz|tar\.gz|deb)\b|https?://\S+/simple(?:/|\b)",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|home|Users)/[\w.]")


def texts() -> Iterator[Path]:
    """Every text file of the project."""
    for folder in TOP:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path
    yield from (ROOT / name for name in TOP_FILES if (ROOT / name).exists())


def sources(folder: str) -> list[Path]:
    return [path for path in texts() if path.suffix == ".py" and path.is_relative_to(ROOT / folder)]


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def unreasoned_lines(source: str) -> list[int]:
    """Lines that switch a check off, and neither they nor a comment on the line above say why."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    alone = {line for line, token in comments.items() if token.line.lstrip().startswith("#")}
    return [line for line, token in comments.items() if unreasoned(token.string) and line - 1 not in alone]


def matching(pattern: re.Pattern[str], path: Path) -> list[str]:
    lines = path.read_text(errors="replace").splitlines()
    return [place(path, number) for number, line in enumerate(lines, 1) if pattern.search(line)]


def without_docstring(source: str, where: str) -> list[str]:
    """The test functions of a file that do not say what must hold."""
    nodes = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tests = [node for node in nodes if node.name.startswith("test_")]
    return [f"{where}:{node.lineno} {node.name}" for node in tests if not ast.get_docstring(node)]


def constant_sleeps(source: str) -> list[int]:
    """Lines that wait for a guessed time. `sleep(0)` only lets other tasks run, and is no guess."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sorted(call.lineno for call in calls if _is_guess(call))


def _is_guess(call: ast.Call) -> bool:
    if ast.unparse(call.func) not in {"time.sleep", "asyncio.sleep", "sleep"} or len(call.args) != 1:
        return False
    seconds = call.args[0]
    return isinstance(seconds, ast.Constant) and seconds.value != 0


def unreasoned(comment: str) -> bool:
    """Whether a comment switches a check off and does not say why."""
    found = REASONED.search(comment)
    return found is not None and len(re.findall(r"[a-z]{2,}", found["after"])) < 2


def test_every_test_says_what_must_hold() -> None:
    """Each test function has a docstring."""
    missing = [
        one
        for path in sources("tests")
        for one in without_docstring(path.read_text(), str(path.relative_to(ROOT)))
    ]
    assert not missing, "\n".join(missing)


def test_no_file_is_long() -> None:
    """No file of the program is over 400 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources("bridge")}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_test_waits_for_a_guessed_time() -> None:
    """Tests wait for a condition (tests/wait.py), never for a number of seconds."""
    found = [
        place(path, line)
        for path in sources("tests")
        if str(path.relative_to(ROOT)) not in SLEEPS_ALLOWED
        and not path.is_relative_to(ROOT / "tests" / "bench")
        for line in constant_sleeps(path.read_text())
    ]
    assert not found, "\n".join(found)


def test_every_switched_off_check_has_its_reason() -> None:
    """Each noqa and type: ignore is followed by why, or stands under a comment that says it."""
    found = [
        place(path, line)
        for folder in ("bridge", "tests", "docs")
        for path in sources(folder)
        for line in unreasoned_lines(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("mark of unfinished work", MARKS),
        ("registry's address", REGISTRIES),
        ("path of one machine", MACHINE_PATHS),
    ],
)
def test_no_file_holds_what_is_not_of_the_product(what: str, pattern: re.Pattern[str]) -> None:
    """Neither marks of unfinished work nor anything of the machine it was written on stands in a file."""
    found = [one for path in texts() for one in matching(pattern, path) if path != Path(__file__)]
    assert not found, "\n".join([what, *found])


def test_there_is_something_to_look_at() -> None:
    """The checks above look at the real files, not at an empty list."""
    assert len(sources("bridge")) > 20
    assert len(sources("tests")) > 5
    assert ROOT / "Makefile" in set(texts())


def test_the_checks_find_what_they_look_for() -> None:
    """Each check fails on an example of what it forbids, and passes its like that is allowed."""
    assert without_docstring("def test_x():\n    pass\n", "f") == ["f:1 test_x"]
    assert without_docstring('def test_x():\n    """It holds."""\ndef help(): pass\n', "f") == []
    assert constant_sleeps("await asyncio.sleep(0.1)\ntime.sleep(1)\nsleep(0)\nasyncio.sleep(step)\n") == [
        1,
        2,
    ]
    for bare in ("# noqa", "# noqa: S101", "# noqa: S101, E501", "# type: ignore[misc]", "# noqa: S101 --"):
        assert unreasoned(bare)
    for good in (
        "# noqa: S101 -- the field names it so",
        "# type: ignore[misc]  # no types there",
        "# a comment",
    ):
        assert not unreasoned(good)
    assert MARKS.search("# TODO later")
    assert not MARKS.search("# what to do")
    assert REGISTRIES.search("https:" + "//packages.example/" + "simple")
    assert MACHINE_PATHS.search("see /root/x")
    assert not MACHINE_PATHS.search("/opt/acd-bridge/bin and bridge/root/x")
