"""What a notice says, what its receiver's answer means, and that our own verifier believes it."""

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.webhook.preset_file import read_preset
from bridge.intake.webhook.signature import Refusal, SignedRequest, verify
from bridge.ledger.notices import Notice, NoticeOutcome, Sent
from bridge.notify.notice import LONGEST_WAIT, after_answer, after_failure, body, message_id, wait_seconds
from bridge.notify.signature import key_of, signed_headers

BEGAN = 1_795_406_526_000
DAY = 86_400_000
NOTICE = Notice(
    item_id=1,
    began_at=BEGAN,
    tries=0,
    key="aabb",
    source="helpdesk",
    kind="ticket",
    route="billing",
    state="created",
    ticket_number="DH-1",
    message_id="",
    acd_event_id=5,
    outcome="done",
    settled_at=BEGAN - 60_000,
    new_at=None,
    seen_at=BEGAN - 30_000,
    done_at=BEGAN - 10_000,
    ended_at=BEGAN,
)
SECRETS = [f"whsec_{base64.b64encode(bytes(range(seed, seed + 32))).decode()}" for seed in (1, 2)]
SCHEMES = read_preset("generic").signature


def answered(status: int, now: int = BEGAN, chance: float = 1.0, **more: Any) -> Sent:
    return after_answer(NOTICE, status, now=now, chance=chance, give_up_after=3 * 86400, **more)


def test_the_payload_has_the_form_of_standard_webhooks() -> None:
    """Type, time and data; what is not known is null. It is the same bytes over every try."""
    assert orjson.loads(body(NOTICE)) == {
        "type": "acd_event.done",
        "timestamp": "2026-11-23T04:01:56.000+00:00",
        "data": {
            "key": "aabb",
            "source": "helpdesk",
            "kind": "ticket",
            "route": "billing",
            "ticket_number": "DH-1",
            "message_id": None,
            "acd_event_id": 5,
            "acd_result": "created",
            "posted_at": "2026-11-23T04:01:06.000+00:00",
            "new_at": None,
            "seen_at": "2026-11-23T04:01:36.000+00:00",
            "done_at": "2026-11-23T04:01:56.000+00:00",
        },
    }
    assert body(replace(NOTICE, tries=5)) == body(NOTICE)


def test_an_error_has_the_time_at_which_it_was_seen() -> None:
    """There is no time of Done; the type says that it is an error."""
    told = orjson.loads(body(replace(NOTICE, outcome="error", done_at=None)))
    assert (told["type"], told["timestamp"]) == ("acd_event.error", "2026-11-23T04:02:06.000+00:00")


def test_the_id_is_the_same_over_tries_and_another_for_another_end() -> None:
    """A receiver tells by it what it has had already. It has no full stop, which parts what is signed."""
    assert message_id(NOTICE) == message_id(replace(NOTICE, tries=9)) == "aabb-done"
    assert message_id(replace(NOTICE, outcome="error")) != message_id(NOTICE)
    assert "." not in message_id(NOTICE)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_yes(status: int) -> None:
    """The notice is over."""
    assert answered(status) == Sent(item_id=1, outcome=NoticeOutcome.TAKEN)


def test_410_is_a_no_for_ever() -> None:
    """Standard Webhooks: who answers 410 is not to be asked again."""
    assert answered(410).outcome is NoticeOutcome.GONE


@pytest.mark.parametrize(
    "status", [100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 422, 429, 500, 503, 599]
)
def test_everything_else_is_tried_again(status: int) -> None:
    """Also what looks final: people mend receivers. A redirect says that it is one."""
    sent = answered(status)
    assert (sent.outcome, sent.due_at) == (None, BEGAN + 5000)
    assert sent.detail.startswith(f"HTTP {status}")
    assert ("redirect" in sent.detail) == (300 <= status < 400)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_waits_grow_and_are_jittered(chance: float) -> None:
    """Doubling from five seconds to an hour, and at least half of that."""
    waits = [wait_seconds(tries, LONGEST_WAIT, chance) for tries in range(1, 14)]
    full = [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]
    assert waits == pytest.approx([one * (0.5 + chance / 2) for one in full])


def test_retry_after_is_obeyed_within_bounds() -> None:
    """A receiver may ask for more time than we would give it, but not for days."""
    assert answered(503, least=600.0).due_at == BEGAN + 600_000
    assert answered(503, least=1.0).due_at == BEGAN + 5000
    assert answered(503, least=1e9).due_at == BEGAN + 3_600_000


@given(tries=st.integers(0, 10**6), chance=st.floats(0, 1), after=st.integers(0, 4 * DAY))
def test_a_notice_ends_at_its_bound(tries: int, chance: float, after: int) -> None:
    """Before it there is another try, at the latest at the bound; at the bound it is given up, with the last words."""
    now = BEGAN + after
    sent = after_failure(
        replace(NOTICE, tries=tries), "no answer", now=now, chance=chance, give_up_after=3 * 86400
    )
    if after < 3 * DAY:
        assert sent.outcome is None
        assert now < sent.due_at <= min(now + 3_600_000, BEGAN + 3 * DAY)
    else:
        assert sent.outcome is NoticeOutcome.GAVE_UP
        assert sent.detail == "given up after 259200 s; last: no answer"


def verdict(headers: dict[str, str], content: bytes, secrets: list[str], now: float) -> Refusal | None:
    seen = {name: [value] for name, value in headers.items()}
    return verify(SCHEMES, secrets, SignedRequest(body=content, headers=seen), now=now)


@given(content=st.binary(max_size=200), number=st.integers(0, 2), now=st.floats(0, 4e9))
def test_our_own_verifier_believes_what_we_sign(content: bytes, number: int, now: float) -> None:
    """Whichever of the secrets the receiver has, as long as it is one that signs, and nothing was changed."""
    signing = SECRETS[: number or 1]
    keys = [key for secret in signing if (key := key_of(secret)) is not None]
    headers = dict(signed_headers(keys, "aabb-done", content, now=now))
    assert [verdict(headers, content, [secret], now) for secret in signing] == [None] * len(signing)
    assert verdict(headers, content + b"x", signing, now) is Refusal.SIGNATURE_WRONG
    assert verdict(headers | {"webhook-id": "other"}, content, signing, now) is Refusal.SIGNATURE_WRONG
    assert verdict(headers, content, signing, now + 600) is Refusal.TIMESTAMP_STALE


def test_the_example_of_the_specification() -> None:
    """Standard Webhooks' own published vector: the signature of these bytes with this secret."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert key is not None
    headers = signed_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', now=1614265330.9)
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "secret", "whsec_!!!!", "whsec_" + "A" * 31, base64.b64encode(bytes(32)).decode(),
     "whsec_" + base64.b64encode(bytes(23)).decode(), "whsec_" + base64.b64encode(bytes(65)).decode(),
     "whpk_" + base64.b64encode(bytes(32)).decode(), "whsec_é"],
)  # fmt: skip
def test_what_is_no_secret_of_standard_webhooks(secret: str) -> None:
    """The prefix, valid base64, and 24 to 64 bytes are demanded."""
    assert key_of(secret) is None
    assert len(key_of("whsec_" + base64.b64encode(bytes(24)).decode()) or b"") == 24
