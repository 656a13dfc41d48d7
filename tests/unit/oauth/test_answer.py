"""What a token server's answer means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.oauth.answer import (
    DEFAULT_LIFE,
    MAX_LIFE,
    MAX_TOKEN,
    MAX_WAIT,
    MAX_WORDS,
    Reply,
    granted_by,
)
from bridge.intake.oauth.failure import State, TokenFailure


def failure_of(status: int, body: bytes, headers: dict[str, str] | None = None) -> TokenFailure:
    with pytest.raises(TokenFailure) as caught:
        granted_by(Reply(status, headers or {}, body), "the-secret")
    return caught.value


@pytest.mark.parametrize(
    ("body", "life", "refresh"),
    [
        (b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3599}', 3599, None),
        (b'{"access_token": "t", "token_type": "bearer", "expires_in": "3600"}', 3600, None),
        (b'{"access_token": "t", "refresh_token": "r"}', DEFAULT_LIFE, "r"),
        (b'{"access_token": "t", "expires_in": 99999999}', MAX_LIFE, None),
        (b'{"access_token": "t", "expires_in": -5}', DEFAULT_LIFE, None),
    ],
)
def test_tokens(body: bytes, life: float, refresh: str | None) -> None:
    """Token, life and a rotated refresh token are read; a life that is missing or absurd is bounded."""
    granted = granted_by(Reply(200, {}, body))
    assert (granted.access_token, granted.life, granted.refresh_token) == ("t", life, refresh)
    assert "'t'" not in repr(granted)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in to the hotel's network</html>",
        b"[]",
        b'{"access_token": ""}',
        b'{"access_token": "a\\r\\nb"}',
        b'{"access_token": "%s"}' % (b"x" * (MAX_TOKEN + 1)),
        b'{"access_token": "t", "token_type": "mac"}',
    ],
)
def test_answers_without_a_usable_token(body: bytes) -> None:
    """A success without a token is taken as an outage: some proxy may have answered."""
    assert failure_of(200, body).state is State.TRANSIENT


@pytest.mark.parametrize(
    ("status", "error", "description", "state", "hint"),
    [
        (400, "invalid_client", "AADSTS7000222: The client secret keys are expired.", "refused", "new client secret"),
        (401, "invalid_client", "AADSTS7000215: Invalid client secret provided.", "refused", "secret's value"),
        (400, "unauthorized_client", "AADSTS700016: Application not found", "refused", "client_id and tenant"),
        (400, "invalid_request", "AADSTS90002: Tenant 'x' not found.", "refused", "tenant"),
        (400, "invalid_grant", "AADSTS65001: no consent", "refused", "IMAP.AccessAsApp"),
        (400, "invalid_request", "AADSTS90033: A transient error has occurred.", "transient", ""),
        (400, "invalid_request", "AADSTS50196: a loop was detected", "throttled", ""),
        (400, "invalid_grant", "Token has been expired or revoked.", "refused", "refresh token"),
        (401, "unauthorized_client", "Client is unauthorized to retrieve access tokens", "refused", "delegation"),
        (401, "invalid_client", "The OAuth client was not found.", "refused", "client_id"),
        (400, "brand_new_error", "", "refused", "oauth"),
        (403, "rate_limit_exceeded", "", "throttled", ""),
        (429, "", "", "throttled", ""),
        (500, "", "", "transient", ""),
        (503, "temporarily_unavailable", "", "transient", ""),
        (400, "temporarily_unavailable", "", "transient", ""),
        (408, "", "", "transient", ""),
        (302, "", "", "refused", "token_url"),
        (404, "", "", "refused", "token_url"),
    ],
)  # fmt: skip
def test_refusals(status: int, error: str, description: str, state: str, hint: str) -> None:
    """Outage, throttling and refusal are told apart as the providers tell them, each refusal with its cause."""
    failure = failure_of(
        status, b'{"error": "%s", "error_description": "%s"}' % (error.encode(), description.encode())
    )
    assert failure.state == state
    assert hint in failure.hint


def test_retry_after() -> None:
    """The pause that the server asks for is kept, and bounded; what is no number is left out."""
    for value, wait in (("30", 30.0), ("999999", MAX_WAIT), ("soon", 0.0), ("-1", 0.0), ("", 0.0)):
        assert failure_of(429, b"", {"Retry-After": value}).wait == wait


def test_no_secret_is_in_the_words() -> None:
    """A server that repeats the secret does not bring it into the log, nor lines of its own."""
    failure = failure_of(
        401, b'{"error": "invalid_client", "error_description": "bad the-secret\\r\\nTrace: x"}'
    )
    assert "the-secret" not in str(failure)
    assert "Trace" not in failure.message


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_answer_is_a_token_or_a_failure(status: int, body: bytes) -> None:
    """Nothing else is raised, and the words are bounded."""
    try:
        granted_by(Reply(status, {}, body))
    except TokenFailure as failure:
        words = failure.message
    else:
        words = ""
    assert len(words) < MAX_WORDS + 100
    assert words.isprintable()
