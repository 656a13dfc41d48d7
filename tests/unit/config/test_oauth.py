"""The keys of sign-in: a password or oauth, and what each provider wants."""

from pathlib import Path

import pytest

from bridge.config.load import parse_config, secret_problems
from bridge.config.model import Config
from bridge.errors import ConfigError

FILE = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = "t"
[[mailbox]]
name = "support"
host = "h"
username = "u"
SIGNIN
[[route]]
name = "all"
event = { type = 5, group = 1 }
"""
MICROSOFT = (
    'oauth = { provider = "microsoft365", tenant = "t", client_id = "i", client_secret = "very-secret" }'
)
ACCOUNT = 'oauth = { provider = "google", service_account = { file = "PATH" } }'
REFRESH = 'oauth = { provider = "google", client_id = "i", client_secret = "s", refresh_token = "r" }'


def config(sign_in: str) -> Config:
    return parse_config(FILE.replace("SIGNIN", sign_in), "test.toml")


@pytest.mark.parametrize(
    "sign_in",
    ['password = "p"', MICROSOFT, ACCOUNT, REFRESH, REFRESH.replace(" }", ", secret_expires = 2027-03-01 }")],
)
def test_ways_to_sign_in(sign_in: str) -> None:
    """A password, Microsoft's client credentials, Google's service account and refresh token are taken, and the day
    on which a secret ends.
    """
    assert config(sign_in).mailbox[0].username == "u"


@pytest.mark.parametrize(
    ("sign_in", "key", "words"),
    [
        ("", "mailbox[support].password", "either it or `oauth`"),
        (f'password = "p"\n{MICROSOFT}', "mailbox[support].password", "keep one of them"),
        ('oauth = { provider = "microsoft365", tenant = "t" }', "mailbox[support].oauth", "client_secret, tenant"),
        ('oauth = { provider = "google", tenant = "t" }', "mailbox[support].oauth", "service_account"),
        ('oauth = { provider = "yahoo" }', "mailbox[support].oauth.provider", "microsoft365"),
        (MICROSOFT.replace(" }", ', secret_expires = "soon" }'), "mailbox[support].oauth.secret_expires", "date"),
        (MICROSOFT.replace(" }", ', token_url = "http://e.org" }'), "mailbox[support].oauth.token_url", "https"),
    ],
)  # fmt: skip
def test_problems(sign_in: str, key: str, words: str) -> None:
    """What is missing, too much or unsafe is one clear problem at its key, without a secret in it."""
    with pytest.raises(ConfigError) as caught:
        config(sign_in)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in str(problem)
    assert "very-secret" not in str(problem)


def test_addresses_on_this_machine() -> None:
    """A token server on this machine may do without TLS."""
    settings = config(MICROSOFT.replace(" }", ', token_url = "http://127.0.0.1:80/t" }'))
    assert settings.mailbox[0].oauth is not None
    assert settings.mailbox[0].oauth.token_url == "http://127.0.0.1:80/t"


def test_a_key_file_has_many_lines(tmp_path: Path) -> None:
    """A service account's key file is no problem for its lines; other secrets of several lines stay one."""
    (tmp_path / "key.json").write_text('{\n "private_key": "x"\n}\n')
    assert secret_problems(config(ACCOUNT.replace("PATH", str(tmp_path / "key.json")))) == []
    (problem,) = secret_problems(
        config(MICROSOFT.replace('"very-secret"', f'{{ file = "{tmp_path}/key.json" }}'))
    )
    assert problem.key == "mailbox[support].oauth.client_secret"
