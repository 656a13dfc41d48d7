from pathlib import Path

import pytest

from bridge.config.load import parse_config
from bridge.errors import ConfigError, Problem
from bridge.routing.compile import compile_routes

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


def problems_in(text: str) -> list[Problem]:
    try:
        config = parse_config(text, "bad.toml")
    except ConfigError as error:
        return error.problems
    return compile_routes(config.route)[1]


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_each_rule_has_its_words(file: Path) -> None:
    """A file that breaks one rule gives exactly the problem that its first line names."""
    text = file.read_text()
    expected = text.splitlines()[0].removeprefix("# ")
    assert [str(problem) for problem in problems_in(text)] == [expected]


def test_the_bad_files_are_there() -> None:
    """The folder of bad files is found, so that the test above cannot pass for want of files."""
    assert len(BAD) > 90
