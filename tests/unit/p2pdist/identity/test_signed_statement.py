"""`p2pdist.identity.signed_statement`: a JWS that others can check with what it carries."""

import base64
import json
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from p2pdist.identity import store as identity_store
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity


@pytest.fixture
def identity(certificates: ModuleType, tmp_path: Path) -> Identity:
    authority, key = certificates.Authority("control"), identity_store.new_key()
    public = serialization.load_pem_private_key(key.encode(), None).public_key()
    endpoint_id = identity_store.endpoint_id_of_key(key)
    control = authority.leaf(public, endpoint_id)
    return Identity(
        home=tmp_path, endpoint_id=endpoint_id, server_address="127.0.0.1", web_port=8443, origin_port=7690,
        server_name="hq", control_certificate=control, swarm_certificate=control, control_ca=authority.pem,
        swarm_ca=authority.pem, key=key, tuf_root=b"{}", not_before=0.0, not_after=1e10,
    )  # fmt: skip


def unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(jws: str) -> dict[str, object]:
    header, statement, signature = jws.split(".")
    certificate = x509.load_der_x509_certificate(base64.b64decode(json.loads(unpack(header))["x5c"][0]))
    raw = unpack(signature)
    assert len(raw) == 64
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, f"{header}.{statement}".encode(), ec.ECDSA(hashes.SHA256()))
    result: dict[str, object] = json.loads(unpack(statement))
    return result


def test_statement_can_be_checked_with_the_certificate_it_carries(identity: Identity) -> None:
    statement = {"compliant": True, "hostname": "pc-köln"}
    for _ in range(20):  # r or s is short in one of 128 signatures
        assert verify(sign_statement(identity, statement)) == statement


def test_changed_statement_is_noticed(identity: Identity) -> None:
    header, _, signature = sign_statement(identity, {"compliant": False}).split(".")
    forged = base64.urlsafe_b64encode(b'{"compliant":true}').decode().rstrip("=")
    with pytest.raises(InvalidSignature):
        verify(f"{header}.{forged}.{signature}")
