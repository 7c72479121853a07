"""Secrets and signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over ``id.timestamp.body``. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from p2pdist.shared.errors import FaultKind, UserError

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
NEW_SECRET_BYTES = 32
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
"""As Standard Webhooks recommends."""


def secret_text(secret: bytes) -> str:
    """Return how a secret is written down."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def secret_of(text: str) -> bytes:
    """Return the secret that `secret_text` has written. Raises `UserError` (BAD_INPUT), without the secret."""
    encoded = text.strip().removeprefix(SECRET_PREFIX)
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.strip().startswith(SECRET_PREFIX) or not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES:
        raise UserError(
            f"A webhook's secret is {SECRET_PREFIX} and {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} random bytes in "
            "base 64. Leave it out, and the server makes one.",
            FaultKind.BAD_INPUT,
        )
    return secret


def signature_header(secrets: Iterable[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """Return ``webhook-signature``: one signature by each secret, so that either verifies it while both are in use."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets)
    return " ".join(f"v1,{one}" for one in made)
