"""The verifier of signatures: every scheme, every malformed input, every secret."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.intake.webhook.scheme import Scheme
from bridge.intake.webhook.signature import MAX_SIGNATURES, Refusal, SignedRequest, verify
from tests.unit.webhook.schemes import BODY, NOW, SCHEMES, URI, lists, scheme, standard_webhooks

SECRET = "test-secret-1"
HEX256 = "383bb7dba197fb0918a6101cfec23fd430d3fef4a0a9342ff70e5b78b8fe74c2"
TIMED256 = "8e54f437ac35f61c6e50e709c2cdddbcf5a49e0edac2a29ed728f2d8a524aa3b"
STAMP, STAMP_MS = "1795406526", "1795406526000"
# Each signature was made with `openssl dgst -hmac test-secret-1` over the bytes that the helpdesk signs.
VECTORS: dict[str, dict[str, str]] = {
    "zammad": {"X-Hub-Signature": "sha1=0e2f90bcc5cc9d0022935890399a6435410bdac8"},
    "zendesk": {
        "X-Zendesk-Webhook-Signature": "5WGglMRaWncUVrH8y7uNpLsmAWqE8rg2v83BS9InqmE=",
        "X-Zendesk-Webhook-Signature-Timestamp": "2026-11-23T04:00:00Z",
    },
    "jira": {"X-Hub-Signature": f"sha256={HEX256}"},
    "redmine7": {"X-Redmine-Signature-256": f"sha256={HEX256}"},
    "helpscout": {"X-HelpScout-Signature": "Di+QvMXMnQAik1iQOZpkNUEL2sg="},
    "front-rule": {"X-Front-Signature": "Di+QvMXMnQAik1iQOZpkNUEL2sg="},
    "front-app": {
        "X-Front-Signature": "xEjCYAvouTQ01qE3h5u9F7VODGkcoFVsfUysHjUdYAs=",
        "X-Front-Request-Timestamp": STAMP_MS,
    },
    "intercom": {"X-Hub-Signature": "sha1=0e2f90bcc5cc9d0022935890399a6435410bdac8"},
    "hubspot-v3": {
        "X-HubSpot-Signature-v3": "npQLCFWWUPnyJm7sT8K1PmchVvxyRXmHZxrSQOoDip8=",
        "X-HubSpot-Request-Timestamp": STAMP_MS,
    },
    "trengo": {"Trengo-Signature": f"{STAMP};{TIMED256}"},
    "chatwoot": {"X-Chatwoot-Signature": f"sha256={TIMED256}", "X-Chatwoot-Timestamp": STAMP},
    "glpi11": {
        "X-GLPI-signature": "97778b77bb59fbc89f56731391031cf9c8695334cbbb24fcc1bba9e7aaa0ec1a",
        "X-GLPI-timestamp": STAMP,
    },
    "escalated-django": {"X-Escalated-Signature": HEX256},
    "gitlab-token": {"X-Gitlab-Token": SECRET},
}
KEY = bytes(range(32))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
V1 = SCHEMES["standard-webhooks-v1"]
BOTH = (V1, SCHEMES["standard-webhooks-v1a"])
REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "signature-vectors.json"


def check(
    one: Scheme,
    headers: dict[str, str],
    *,
    secrets: Sequence[str] = (SECRET,),
    body: bytes = BODY,
    now: float = NOW,
) -> Refusal | None:
    request = SignedRequest(body=body, headers=lists(headers), uri=URI)
    # Zendesk's vector is of another moment than the rest.
    tolerance = None if one is not SCHEMES["zendesk"] else 1e6
    return verify([one], secrets, request, now=now, tolerance=tolerance)


@pytest.mark.parametrize("name", VECTORS)
def test_every_scheme_accepts_its_vector_and_nothing_else(name: str) -> None:
    """A scheme accepts what openssl signed, and neither another body nor another secret."""
    one, headers = SCHEMES[name], VECTORS[name]
    assert check(one, headers) is None
    assert check(one, headers, secrets=["another"]) is Refusal.SIGNATURE_WRONG
    assert check(one, headers, secrets=[]) is Refusal.SIGNATURE_WRONG
    if one.algorithm != "plain":
        assert check(one, headers, body=BODY + b" ") is Refusal.SIGNATURE_WRONG


def test_freescout_takes_the_derived_key() -> None:
    """FreeScout's key is a hash that the operator gives as the secret."""
    headers = {"X-FreeScout-Signature": "iyRQj89SY7fI2fFV7fu+wVG2QTk="}
    assert check(SCHEMES["freescout"], headers, secrets=["767fe609bebe85ec3dcb9a3c21dc7e0e"]) is None


def _reference() -> list[dict[str, Any]]:
    if not REFERENCE.exists():
        return []
    vectors: list[dict[str, Any]] = json.loads(REFERENCE.read_text())["vectors"]
    return vectors


@pytest.mark.parametrize("vector", _reference(), ids=lambda vector: str(vector["scheme"]))
def test_the_collected_vectors_are_accepted(vector: dict[str, Any]) -> None:
    """Every collected vector is accepted by the scheme of its name."""
    secret = vector.get("secret") or vector["public_key"]
    assert check(SCHEMES[vector["scheme"]], vector["headers"], secrets=[secret]) is None


@pytest.mark.parametrize("secrets", [[WHSEC], ["whsec_b3RoZXI=", WHSEC], [WHSEC, "whsec_b3RoZXI="]])
def test_each_secret_is_tried(secrets: list[str]) -> None:
    """During a rotation the old and the new secret are both believed, in any order."""
    assert check(V1, standard_webhooks(BODY, KEY), secrets=secrets) is None


def test_one_good_signature_among_several_is_enough() -> None:
    """A sender that rotates signs with both keys; versions that are not known are passed over."""
    headers = standard_webhooks(BODY, KEY)
    headers["webhook-signature"] = f"v0,abc v1,AAAA v1 {headers['webhook-signature']} v9,?"
    assert check(V1, headers, secrets=[WHSEC]) is None


def test_ed25519_signatures_are_verified_with_the_public_key() -> None:
    """A v1a signature is believed with its whpk_ key, and not after a bit of it was changed."""
    private = Ed25519PrivateKey.from_private_bytes(KEY)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signed = private.sign(f"m.{STAMP}.".encode() + BODY)
    secret = "whpk_" + base64.b64encode(public).decode()
    for good, one in ((True, signed), (False, signed[:-1] + bytes([signed[-1] ^ 1])), (False, b"short")):
        text = f"v1a,{base64.b64encode(one).decode()}"
        headers = {"webhook-id": "m", "webhook-timestamp": STAMP, "webhook-signature": text}
        request = SignedRequest(body=BODY, headers=lists(headers))
        assert (verify(BOTH, [secret], request, now=NOW) is None) is good


def test_a_public_key_is_never_a_shared_secret() -> None:
    """Who knows the public key cannot sign with it: neither with its prefix nor without."""
    public = base64.b64encode(KEY).decode()
    headers = standard_webhooks(BODY, KEY)
    for secret in (f"whpk_{public}", public):
        assert verify(BOTH, [secret], SignedRequest(body=BODY, headers=lists(headers)), now=NOW) is not None


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "whsec_abc", "", "whsec_ AAAA"])
def test_a_secret_that_is_none_fits_nothing(secret: str) -> None:
    """An empty or broken secret gives no key: a signature with the empty key is refused."""
    assert V1.key_of(secret) is None
    assert check(V1, standard_webhooks(BODY, b""), secrets=[secret]) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("", Refusal.SIGNATURE_MALFORMED),
        ("sha1=", Refusal.SIGNATURE_MALFORMED),
        ("0e2f90bcc5cc9d0022935890399a6435410bdac8", Refusal.SIGNATURE_MALFORMED),
        ("sha256=0e2f90bcc5cc9d0022935890399a6435410bdac8", Refusal.SIGNATURE_MALFORMED),
        ("sha1=0e2f90bcc5cc9d0022935890399a6435410bdac", Refusal.SIGNATURE_MALFORMED),
        ("sha1=0e2f90bcc5cc9d0022935890399a6435410bdacg", Refusal.SIGNATURE_MALFORMED),
        ("sha1=0e2f90bcc5cc9d0022935890399a6435410bdac8\n", None),
        ("sha1=0e2f90bcc5cc9d00 22935890399a6435410bdac8", Refusal.SIGNATURE_MALFORMED),
        ("sha1=" + "0" * 40, Refusal.SIGNATURE_WRONG),
        ("sha1=0e", Refusal.SIGNATURE_WRONG),
        ("sha1=" + "0" * 5000, Refusal.SIGNATURE_MALFORMED),
        ("\u0665" * 40, Refusal.SIGNATURE_MALFORMED),
    ],
)
def test_malformed_values_are_one_refusal_each(value: str, refusal: Refusal | None) -> None:
    """A value without its prefix, with another one, too short or too long is refused, and never an exception."""
    assert check(SCHEMES["zammad"], {"X-Hub-Signature": value}) is refusal


def test_the_algorithm_is_not_the_senders_choice() -> None:
    """Jira and Zammad share a header's name: a sender cannot choose SHA-1 where SHA-256 is configured."""
    assert check(SCHEMES["jira"], VECTORS["zammad"]) is Refusal.SIGNATURE_MALFORMED
    assert check(SCHEMES["zammad"], VECTORS["jira"]) is Refusal.SIGNATURE_MALFORMED


def test_missing_and_doubled_headers_are_refused() -> None:
    """No signature, two signature headers, two times or two IDs: refused, even where each one is good."""
    good = lists(standard_webhooks(BODY, KEY))
    assert verify([V1], [WHSEC], SignedRequest(body=BODY, headers=good), now=NOW) is None
    assert verify([V1], [WHSEC], SignedRequest(body=BODY, headers={}), now=NOW) is Refusal.SIGNATURE_MISSING
    assert verify([], [WHSEC], SignedRequest(body=BODY, headers=good), now=NOW) is Refusal.SIGNATURE_MISSING
    expected = {
        "webhook-signature": Refusal.SIGNATURE_TWICE,
        "webhook-timestamp": Refusal.SIGNED_HEADER_MISSING,
        "webhook-id": Refusal.SIGNED_HEADER_MISSING,
    }
    for name, refusal in expected.items():
        doubled = SignedRequest(body=BODY, headers={**good, name: [*good[name], *good[name]]})
        assert verify([V1], [WHSEC], doubled, now=NOW) is refusal


def test_too_many_signatures_are_refused() -> None:
    """A header cannot make the verifier compute without end."""
    headers = standard_webhooks(BODY, KEY)
    headers["webhook-signature"] = " ".join([headers["webhook-signature"]] * (MAX_SIGNATURES + 1))
    assert check(V1, headers, secrets=[WHSEC]) is Refusal.SIGNATURE_MALFORMED


@pytest.mark.parametrize(
    ("late", "fresh"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_the_tolerance_holds_both_ways(late: float, *, fresh: bool) -> None:
    """A signed time may differ by the scheme's 300 seconds and not by one more, in the past and in the future."""
    refusal = check(V1, standard_webhooks(BODY, KEY), secrets=[WHSEC], now=NOW + late)
    assert refusal is (None if fresh else Refusal.TIMESTAMP_STALE)


def test_the_tolerance_is_each_webhooks_own() -> None:
    """The configuration's tolerance replaces the scheme's, and another scheme may have a wider one."""
    request = SignedRequest(body=BODY, headers=lists(standard_webhooks(BODY, KEY)))
    assert verify([V1], [WHSEC], request, now=NOW + 4000, tolerance=4000) is None
    assert verify([V1], [WHSEC], request, now=NOW + 11, tolerance=10) is Refusal.TIMESTAMP_STALE
    assert check(SCHEMES["glpi11"], VECTORS["glpi11"], now=NOW + 86400) is None


@pytest.mark.parametrize("text", ["", "nan", "1e9", "-1", "1795406526.0", "\u0661", "9" * 17, "inf", "0x1"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """Only whole digits are a Unix time, even where the signature over the text is good."""
    key = SECRET.encode()
    one = SCHEMES["chatwoot"]
    signed = hmac.new(key, text.encode() + b"." + BODY, hashlib.sha256).hexdigest()
    headers = {"X-Chatwoot-Signature": f"sha256={signed}", "X-Chatwoot-Timestamp": text}
    assert check(one, headers) is Refusal.TIMESTAMP_MALFORMED


def test_a_time_without_a_zone_is_refused() -> None:
    """ISO 8601 without a zone could mean any hour of the day."""
    one = SCHEMES["zendesk"]
    headers = {**VECTORS["zendesk"], "X-Zendesk-Webhook-Signature-Timestamp": "2026-11-23T04:00:00"}
    assert check(one, headers) is Refusal.SIGNATURE_WRONG
    plain = scheme(
        header="x-t", algorithm="plain", encoding="text", timestamp={"header": "x-at", "unit": "iso"}
    )
    assert check(plain, {"X-T": SECRET, "X-At": "2026-11-23T04:00:00"}) is Refusal.TIMESTAMP_MALFORMED
    assert check(plain, {"X-T": SECRET, "X-At": "2026-11-23T05:02:06+01:00"}) is None


def test_a_part_of_the_method_and_address_is_signed() -> None:
    """HubSpot's signature covers the address: the same body to another one is refused."""
    request = SignedRequest(body=BODY, headers=lists(VECTORS["hubspot-v3"]), uri=URI)
    assert verify([SCHEMES["hubspot-v3"]], [SECRET], request, now=NOW) is None
    assert verify([SCHEMES["hubspot-v3"]], [SECRET], replace(request, uri=URI + "2"), now=NOW) is not None
    assert verify([SCHEMES["hubspot-v3"]], [SECRET], replace(request, method="PUT"), now=NOW) is not None


@settings(deadline=None)
@given(value=st.text(), stamp=st.text(), name=st.text(), body=st.binary())
def test_no_header_ever_raises(value: str, stamp: str, name: str, body: bytes) -> None:
    """Whatever stands in the headers, the verifier answers with a refusal."""
    for one in SCHEMES.values():
        headers: dict[str, Sequence[str]] = {one.header: [value], "webhook-id": [name]}
        if one.timestamp and one.timestamp.header:
            headers[one.timestamp.header] = [stamp]
        request = SignedRequest(body=body, headers=headers, uri=name)
        assert isinstance(verify([one], ["a secret", WHSEC, "whpk_AAAA"], request, now=NOW), Refusal)


@settings(deadline=None)
@given(text=st.text(alphabet="sha1256=;v1a, .:0fF+/AQ=TZ-", max_size=80))
def test_nearly_right_headers_never_raise(text: str) -> None:
    """The same for texts that look like signatures."""
    for one in SCHEMES.values():
        stamp = one.timestamp.header if one.timestamp else None
        headers = {one.header: [text], stamp or "x": [text], "webhook-id": [text]}
        assert verify([one], [SECRET, WHSEC], SignedRequest(body=b"", headers=headers), now=NOW) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": "no signature"},
        {"shape": "{signature}{signature}"},
        {"signed": ["{cookie}"]},
        {"signed": ["{timestamp}", "{body}"]},
        {"timestamp": {"unit": "s"}},
        {"header": "X-Upper"},
        {"algorithm": "md5"},
        {"unknown": 1},
    ],
)
def test_a_scheme_that_cannot_work_is_refused(fields: dict[str, Any]) -> None:
    """A mistake in a preset file shows when it is read, not when a request comes."""
    with pytest.raises(ValidationError):
        scheme(**{"header": "x-s", "algorithm": "hmac-sha256", **fields})


def test_the_comparison_never_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every secret is compared with every signature in constant time, also after one has fitted."""
    compared: list[bool] = []
    real = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(real(one, other))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", counting)
    headers = standard_webhooks(BODY, KEY)
    headers["webhook-signature"] += " v1,AAAA"
    assert check(V1, headers, secrets=[WHSEC, "whsec_b3RoZXI=", "whsec_dGhpcmQ="]) is None
    assert compared == [True, False, False, False, False, False]
