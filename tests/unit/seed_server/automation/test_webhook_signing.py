"""`seed_server.automation.webhook_signing`: what the official library verifies."""

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.webhook_signing import (
    LEAST_SECRET_BYTES,
    MOST_SECRET_BYTES,
    secret_of,
    secret_text,
    signature_header,
)

BODY = '{"type":"patch.published","data":{"patch":"オフィス@1"}}'.encode()
NEW, OLD, OTHER = b"n" * 32, b"o" * 24, b"x" * 32


def headers(*secrets: bytes, body: bytes = BODY, age: int = 0) -> dict[str, str]:
    now = int(time.time()) - age
    return {
        "webhook-id": "evt_1_ab",
        "webhook-timestamp": str(now),
        "webhook-signature": signature_header(secrets, "evt_1_ab", now, body),
    }


def test_the_official_library_verifies_it_with_either_secret_while_both_sign() -> None:
    for secret in (NEW, OLD):
        assert Webhook(secret_text(secret)).verify(BODY, headers(NEW, OLD))["type"] == "patch.published"
    Webhook(secret_text(NEW)).verify(BODY, headers(NEW))


@pytest.mark.parametrize(
    ("secret", "sent", "body"),
    [
        (OTHER, headers(NEW, OLD), BODY),
        (NEW, headers(NEW), BODY.replace(b"1", b"2")),
        (NEW, {**headers(NEW), "webhook-id": "evt_2_ab"}, BODY),
        (NEW, headers(NEW, age=600), BODY),
    ],
)
def test_and_nothing_else(secret: bytes, sent: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_text(secret)).verify(body, sent)


def test_the_example_of_the_specification() -> None:
    """Of standard-webhooks/spec, and its libraries' own tests."""
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature_header([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("size", [LEAST_SECRET_BYTES, MOST_SECRET_BYTES])
def test_a_secret_is_read_as_it_is_written(size: int) -> None:
    secret = bytes(range(size))
    assert secret_of(f" {secret_text(secret)}\n") == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_???",
        base64.b64encode(NEW).decode(),
        secret_text(bytes(LEAST_SECRET_BYTES - 1)),
        secret_text(bytes(MOST_SECRET_BYTES + 1)),
        secret_text(NEW) + "é",
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UserError, match="whsec_ and 24 to 64 random bytes") as caught:
        secret_of(text)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert text.removeprefix("whsec_") == "" or text not in caught.value.message
