"""Rate, client address, Basic authentication, secrets, compression and counts: the small checks at the door."""

import base64
import gzip
import tracemalloc
import zlib
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.secret import Secret
from bridge.intake.webhook.basic import fits_basic
from bridge.intake.webhook.client import MAX_HOPS, client_address, is_in
from bridge.intake.webhook.log_pace import LOG_AGAIN_SECONDS, LogPace
from bridge.intake.webhook.rate import TokenBucket
from bridge.intake.webhook.refused import RefusedError
from bridge.intake.webhook.secret_cache import KEPT_SECONDS, SecretCache
from bridge.intake.webhook.tally import Tally
from bridge.intake.webhook.unzip import BrokenEncodingError, decoded

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_twice_the_rate_may_come_at_once() -> None:
    """A bucket of 5 a second lets 10 pass at once, then tells how long to wait, then lets 5 a second pass."""
    bucket = TokenBucket(5, 100.0)
    assert [bucket.take(100.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(100.0) == pytest.approx(0.2)
    assert [bucket.take(101.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(101.0) > 0


def test_a_slow_rate_still_lets_one_pass() -> None:
    """A rate below one half a second is not a rate of none."""
    bucket = TokenBucket(0.1, 0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == pytest.approx(10.0)
    assert bucket.take(10.0) == 0.0


def test_a_clock_that_steps_back_does_no_harm() -> None:
    """After the clock was set back nothing is added and nothing is locked for long."""
    bucket = TokenBucket(1, 1000.0)
    assert [bucket.take(1000.0), bucket.take(1000.0)] == [0.0, 0.0]
    assert bucket.take(0.0) > 0
    assert bucket.take(2.0) == 0.0


def test_looking_takes_no_token() -> None:
    """Asking how long to wait changes nothing; only taking does."""
    bucket = TokenBucket(1, 0.0)
    assert [bucket.wait(0.0) for _ in range(9)] == [0.0] * 9
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert bucket.wait(0.5) == pytest.approx(0.5)


@settings(deadline=None)
@given(rate=st.floats(0.01, 1000), steps=st.lists(st.floats(0, 100), max_size=60))
def test_never_more_than_the_rate_over_time(rate: float, steps: list[float]) -> None:
    """However the requests fall: passed requests are at most the burst and the rate times the time."""
    now, passed, bucket = 0.0, 0, TokenBucket(rate, 0.0)
    for step in steps:
        now += step
        passed += bucket.take(now) == 0.0
    assert passed <= max(1.0, 2 * rate) + now * rate + 1e-6


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["127.0.0.1", "203.0.113.9, 10.2.2.2"], "203.0.113.9"),
        ("10.1.1.1", ["10.9.9.9"], "10.9.9.9"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9, unknown"], None),
        ("10.1.1.1", [""], None),
        ("10.1.1.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("fd00::1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
        (None, ["203.0.113.9"], None),
        ("", [], None),
    ],
)
def test_the_client_is_the_right_most_untrusted_address(
    peer: str | None, forwarded: list[str], client: str | None
) -> None:
    """X-Forwarded-For counts only from a trusted proxy, and only its right-most untrusted address."""
    found = client_address(peer, forwarded, TRUSTED)
    assert found == (ip_address(client) if client else None)


def test_a_long_chain_of_hops_is_bounded() -> None:
    """A header full of addresses is not searched without end, and its left end is never believed."""
    forwarded = [", ".join(["203.0.113.9"] + ["10.0.0.1"] * (MAX_HOPS + 5))]
    assert client_address("10.1.1.1", forwarded, TRUSTED) == ip_address("10.0.0.1")


@settings(deadline=None)
@given(peer=st.none() | st.text(), forwarded=st.lists(st.text(), max_size=3))
def test_any_forwarded_header_is_read(peer: str | None, forwarded: list[str]) -> None:
    """Finding the client never raises."""
    found = client_address(peer, forwarded, [ip_network("0.0.0.0/0"), ip_network("::/0")])
    assert found is None or is_in(found, [ip_network("0.0.0.0/0"), ip_network("::/0")])


def _basic(text: bytes) -> list[str]:
    return ["Basic " + base64.b64encode(text).decode()]


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        (_basic(b"desk:secret"), True),
        (["basic " + base64.b64encode(b"desk:secret").decode()], True),
        (_basic(b"desk:secret "), False),
        (_basic(b"desk:"), False),
        (_basic(b"desk"), False),
        (_basic(b""), False),
        ([], False),
        (_basic(b"desk:secret") * 2, False),
        (["Bearer secret"], False),
        (["Basic"], False),
        (["Basic !!!"], False),
        (["Basic " + "A" * 10_000], False),
    ],
)
def test_user_and_password_must_fit(values: list[str], *, fits: bool) -> None:
    """Only the one pair is believed; a header given twice is not."""
    assert fits_basic(values, "desk", "secret") is fits


def test_passwords_may_have_any_letters() -> None:
    """UTF-8 and Latin-1 are both believed, and a letter outside of Latin-1 is not the same as a question mark."""
    assert fits_basic(_basic("d:pässword".encode()), "d", "pässword")
    assert fits_basic(_basic("d:pässword".encode("latin-1")), "d", "pässword")
    assert fits_basic(_basic("d:пароль".encode()), "d", "пароль")
    assert not fits_basic(_basic(b"d:??????"), "d", "пароль")


@settings(deadline=None)
@given(value=st.text())
def test_any_authorization_header_is_read(value: str) -> None:
    """Reading it never raises, and nothing but the pair is believed."""
    assert not fits_basic([value], "desk", "secret")
    assert not fits_basic(["Basic " + value], "desk", "secret")


def test_a_rotated_secret_is_seen(tmp_path: Path) -> None:
    """A secret's file is read again after ten seconds, and not for each request."""
    file = tmp_path / "secret"
    file.write_text("old\n")
    cache = SecretCache(Secret(file=file), webhook="w", usable=bool)
    assert cache.value(0.0) == "old"
    file.write_text("new\n")
    assert cache.value(KEPT_SECONDS - 1) == "old"
    assert cache.value(KEPT_SECONDS) == "new"
    file.write_text("newer\n")
    assert cache.value(1.0) == "newer", "a clock that was set back must not keep an old secret for long"
    file.unlink()
    assert cache.value(1.0 + KEPT_SECONDS) is None


def test_an_unusable_secret_is_told_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that no scheme can use gives nothing, and the log names its place and not its value."""
    cache = SecretCache(Secret.model_validate("hunter2"), webhook="w", usable=lambda _: False)
    assert cache.value(0.0) is None
    told = capsys.readouterr()
    assert "webhook-secret-unusable" in told.out + told.err
    assert "hunter2" not in told.out + told.err


def test_gzip_is_undone_within_the_bound() -> None:
    """A gzip body gives its content; a bomb is refused before it fills the memory."""
    assert decoded(gzip.compress(b"{}"), "gzip", 100) == b"{}"
    assert decoded(gzip.compress(b"{}"), " X-GZIP ", 100) == b"{}"
    assert decoded(b"{}", "", 100) == b"{}"
    assert decoded(b"{}", "identity", 100) == b"{}"
    assert decoded(gzip.compress(b"x" * 100), "gzip", 100) == b"x" * 100
    bomb = gzip.compress(b"0" * 20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError) as caught:
            decoded(bomb, "gzip", 1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"{}", "gzip"),
        (b"", "gzip"),
        (gzip.compress(b"{}")[:-1], "gzip"),
        (gzip.compress(b"{}") + b"more", "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (b"{}", "br"),
        (b"{}", "gzip, gzip"),
    ],
)
def test_broken_or_unknown_encodings_are_told(raw: bytes, encoding: str) -> None:
    """What cannot be decompressed is one kind of error, and never an exception of zlib."""
    with pytest.raises(BrokenEncodingError):
        decoded(raw, encoding, 1000)


def test_the_tally_counts_each_outcome() -> None:
    """Accepted, known already, unreadable, refused and failed are told apart."""
    tally = Tally("test-tally")
    tally.took_in(0.0, new=True, readable=True)
    tally.took_in(1.0, new=False, readable=True)
    tally.took_in(2.0, new=True, readable=False)
    tally.refused(3.0, 401, "signature-wrong")
    tally.refused(4.0, 503, "rate")
    assert tally.as_dict() == {
        "accepted": 1,
        "duplicates": 1,
        "unreadable": 1,
        "refused": 1,
        "failed": 1,
        "last_accepted": "1970-01-01T00:00:02+00:00",
        "last_refusal": {"at": "1970-01-01T00:00:04+00:00", "reason": "rate"},
    }


def test_a_flood_of_refusals_is_not_a_flood_of_log_lines() -> None:
    """Of one reason the first is logged, then one in ten seconds with the number of those left out."""
    pace = LogPace()
    assert pace.unlogged("rate", 0.0) == 0
    assert [pace.unlogged("rate", 1.0), pace.unlogged("rate", 2.0)] == [None, None]
    assert pace.unlogged("too-large", 2.0) == 0
    assert pace.unlogged("rate", LOG_AGAIN_SECONDS) == 2
    assert pace.unlogged("rate", 2 * LOG_AGAIN_SECONDS) == 0
    assert pace.unlogged("rate", 0.0) == 0, "a clock that was set back must not silence the log"
