"""Sign statements with this PC's own key: a compact JWS (RFC 7515) with ES256 (RFC 7518, section 3.4)."""

import base64
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from p2pdist.identity.store import Identity
from p2pdist.shared.statement_check import COORDINATE_BYTES


def sign_statement(identity: Identity, statement: dict[str, Any]) -> str:
    """Return ``statement`` as a compact JWS; its header carries the control certificate (``x5c``).

    `p2pdist.shared.statement_check` checks it.
    """
    certificate = x509.load_pem_x509_certificate(identity.control_certificate.encode())
    x5c = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]
    header = {"alg": "ES256", "typ": "JWT", "kid": identity.endpoint_id, "x5c": x5c}
    signed = f"{_base64url(_json(header))}.{_base64url(_json(statement))}"
    key = serialization.load_pem_private_key(identity.key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64url(r.to_bytes(COORDINATE_BYTES) + s.to_bytes(COORDINATE_BYTES))}"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
