"""The enrolment token and the bodies of the web port's calls."""

import base64
import hashlib

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire import codec, enrolment
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.enrolment import EnrolRequest, Token

TOKEN = Token(
    address="patch.example", web_port=8443, ca_pin=bytes(range(32)), root_pin=bytes(range(1, 33)), secret=bytes(16)
)


def test_a_token_round_trips_and_survives_a_copy_with_spaces_around() -> None:
    text = enrolment.encode_token(TOKEN)
    assert enrolment.decode_token(f"  {text}\n") == TOKEN
    assert text.isascii()
    assert " " not in text


def test_every_single_mistyped_or_missing_character_is_noticed() -> None:
    text = enrolment.encode_token(TOKEN)
    for at in range(len(text) - 1):
        for wrong in (text[:at] + text[at + 1 :], text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]):
            with pytest.raises(UserError) as caught:
                enrolment.decode_token(wrong)
            assert caught.value.kind == FaultKind.BAD_INPUT


@pytest.mark.parametrize("text", ["", "p2pd-", "x" * 2_000, "p2pd-" + "A" * 996, "p2pd-äöü", "p2pd-A", "p2pd-\u0661"])
def test_rubbish_is_refused_with_a_next_step(text: str) -> None:
    with pytest.raises(UserError) as caught:
        enrolment.decode_token(text)
    assert "seed-server token" in caught.value.message


def test_a_token_of_an_older_version_is_told_from_a_mistyped_one() -> None:
    """It carried no pin of the trust root."""
    body = codec.encode({"address": "patch.example", "web_port": 8443, "ca_pin": bytes(32), "secret": bytes(16)})
    checksum = hashlib.sha256(body).digest()[:4]
    text = enrolment.TOKEN_PREFIX + base64.urlsafe_b64encode(checksum + body).decode().rstrip("=")
    with pytest.raises(UserError, match="another version") as caught:
        enrolment.decode_token(text)
    assert caught.value.kind == FaultKind.BAD_INPUT
    assert "seed-server token" in caught.value.message


def test_the_longest_address_fits() -> None:
    longest = Token(address="a" * 253, web_port=65_535, ca_pin=bytes(32), root_pin=bytes(32), secret=bytes(16))
    text = enrolment.encode_token(longest)
    assert len(text) <= enrolment.MAX_TOKEN_CHARS
    assert enrolment.decode_token(text) == longest


def test_a_body_round_trips_and_has_a_cap() -> None:
    request = EnrolRequest(secret="0" * 32, csr="pem", hostname="pc")
    body = enrolment.encode_body(request)
    assert enrolment.decode_body(body, EnrolRequest) == request
    spaces = enrolment.MAX_ENROLMENT_BODY_BYTES - len(body)
    assert enrolment.decode_body(body + b" " * spaces, EnrolRequest) == request
    with pytest.raises(DecodeError, match="over the cap"):
        enrolment.decode_body(body + b" " * (spaces + 1), EnrolRequest)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"secret":1}', b'{"a":1}', b"[" * 10_000])
def test_a_wrong_body_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        enrolment.decode_body(body, EnrolRequest)
