import time
from pathlib import Path

import pytest

from bridge.config.load import MAX_CONFIG_BYTES, load_config, parse_config
from bridge.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "config" / "bridge.toml"
GOOD = """
[acd]
url = "https://acd.example.org/"
clients_id = 1
token = "top-secret-token"
give_up_after = "2d"
[[route]]
name = "all"
event = { type = 5, group = "Support" }
"""
MANY = """
[acd]
url = "ftp://acd.example.org"
clients_id = 0
token = "top-secret-token"
nonsense = 1
[[mailbox]]
name = "a"
password = "top-secret-password"
port = "993"
[[mailbox]]
name = "a"
host = "h"
username = "u"
password = { file = 5, secret = "top-secret-key" }
[[webhook]]
name = "w"
[[route]]
when = "auto"
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "test.toml")
    return [problem.key for problem in caught.value.problems]


def test_a_good_file_becomes_its_values() -> None:
    """Values of the file and defaults of the models stand in the configuration."""
    config = parse_config(GOOD, "test.toml")
    assert config.acd.url == "https://acd.example.org"
    assert config.acd.give_up_after == 2 * 86400
    assert config.acd.concurrency == 8
    assert config.route[0].event is not None
    assert config.route[0].event.sender == "{{ sender }}"


def test_every_problem_is_named_at_once() -> None:
    """Wrong values, unknown keys, missing keys and rules across tables all show in one go."""
    assert problems_of(MANY) == [
        "acd.url", "acd.clients_id", "acd.nonsense", "mailbox[a].host", "mailbox[a].port", "mailbox[a].username",
        "mailbox[a].password.file", "mailbox[a].password.secret", "route[0].name", "mailbox[a].name",
        "listen.webhooks",
    ]  # fmt: skip


def test_no_secret_is_in_an_error() -> None:
    """The error of a wrong file quotes no secret of it."""
    with pytest.raises(ConfigError) as caught:
        parse_config(MANY, "test.toml")
    assert "top-secret" not in str(caught.value)
    assert "test.toml" in str(caught.value)


def test_two_entries_of_one_name_keep_their_own_problems() -> None:
    """Entries that share a name do not hide each other's problems."""
    entry = '[[mailbox]]\nname = "a"\nhost = "h"\nusername = "u"\n'
    assert problems_of(GOOD + entry + entry).count("mailbox[a].password") == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file, and a folder in its place, are problems and no tracebacks."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert [problem.key for problem in caught.value.problems] == ["file"]
        assert caught.value.problems[0].what.startswith("cannot be read: ")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """What is larger than any configuration is not even parsed."""
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than 1048576 bytes"):
        load_config(path)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """The line of the first byte that is not UTF-8 is named."""
    path = tmp_path / "latin1.toml"
    path.write_bytes(GOOD.encode() + "# Grüße".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"line 10: is not UTF-8"):
        load_config(path)


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    """A file saved by an editor of Windows is read."""
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_config(path).acd.clients_id == 1


def test_bottomless_nesting_is_a_problem() -> None:
    """A file of nothing but brackets ends in an error of ours."""
    assert problems_of("a = " + "[" * 50_000) in (["file"], ["end of file"])


SOURCES = """
[listen]
webhooks = "127.0.0.1:8080"
[[mailbox]]
name = "support"
host = "h"
username = "u"
password = "p"
[[webhook]]
name = "desk"
unsigned = true
"""


@pytest.mark.parametrize(
    ("tables", "what"),
    [
        ([["support"]], "must name at least two sources"),
        ([["support", "dsek"]], "there is no source 'dsek'"),
        ([["support", "support"]], "source 'support' is named twice"),
        ([["support", "desk"], ["desk", "support"]], "source 'desk' is named twice"),
    ],
)
def test_sources_of_the_same_cases(tables: list[list[str]], what: str) -> None:
    """Two or more sources that exist, each in one table: all else would put nothing together, or be ambiguous."""
    text = "".join(f"[[same_case]]\nsources = {sources}\n" for sources in tables)
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD + SOURCES + text, "test.toml")
    assert what in [problem.what for problem in caught.value.problems]


def test_the_same_case_is_read_as_it_is_written() -> None:
    """A time in words; nothing is put together where nothing is said."""
    text = '[[same_case]]\nsources = ["support", "desk"]\nwithin = "20m"\n'
    (table,) = parse_config(GOOD + SOURCES + text, "test.toml").same_case
    assert (table.sources, table.within) == (("support", "desk"), 1200)
    assert parse_config(GOOD, "test.toml").same_case == ()


def test_duplicates_are_not_kept_shorter_than_items() -> None:
    """A record that is gone before its item would leave an `updated` item without its first."""
    with pytest.raises(ConfigError, match="at least retention_days"):
        parse_config(GOOD + "[state]\nretention_days = 90\nduplicates_days = 30\n", "test.toml")


def test_the_example_is_read_fast() -> None:
    """Reading the example takes less than 50 ms."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        load_config(EXAMPLE)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.05
