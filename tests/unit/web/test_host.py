"""Only requests that were meant for this server are answered."""

import pytest

from bridge.web.host import is_own_host

OURS = frozenset({"127.0.0.1", "bridge1"})


@pytest.mark.parametrize(
    "header",
    [
        None,
        "127.0.0.1",
        "127.0.0.1:8081",
        "[::1]",
        "[::1]:8081",
        "192.0.2.7:8081",
        "localhost",
        "LOCALHOST:8081",
        "localhost.:8081",
        "bridge1",
        "Bridge1:8081",
    ],
)
def test_addresses_and_own_names_are_ours(header: str | None) -> None:
    """An address, a local name, and this machine's name are answered."""
    assert is_own_host(header, OURS)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "bridge1.evil.example",
        "[evil.example]:80",
        "[",
        "1.2.3",
        "user@127.0.0.1",
        "127.0.0.1 evil",
    ],
)
def test_foreign_names_are_not_ours(header: str) -> None:
    """A name that anybody can point at this machine is refused."""
    assert not is_own_host(header, OURS)
