"""`seed_server.ports.own_certificate`: a company's certificate in two files, and what may be wrong with them."""

import os
import re
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.ports.own_certificate import MAX_CHAIN_BYTES, MAX_OWN_KEY_BYTES, OwnCertificate
from seed_server.settings.server_toml import ServerSettings
from tests.helpers.certificates import Authority


def key_text(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def own(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> OwnCertificate:
    company = Authority("Example Company")
    found = OwnCertificate(tmp_path / "hq.pem", tmp_path / "hq.key")
    leaf = company.leaf(key.public_key(), "patches.example.com", life=timedelta(days=90))
    found.certificate.write_text(leaf + company.pem)
    found.key.write_bytes(key_text(key))
    found.key.chmod(0o600)
    return found


def test_the_files_make_a_chain_that_tls_takes(own: OwnCertificate, tmp_path: Path) -> None:
    chain = own.read()
    assert chain.pem.count(b"BEGIN CERTIFICATE") == 2
    assert ssl.DER_cert_to_PEM_cert(chain.der).encode() in chain.pem
    assert chain.expires_at > 0
    (tmp_path / "chain").write_bytes(chain.pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "chain")


def test_a_change_of_a_file_is_seen(own: OwnCertificate) -> None:
    first = own.state()
    assert own.state() == first
    other = own.key.with_suffix(".new")
    other.write_bytes(own.key.read_bytes())
    os.replace(other, own.key)
    assert own.state() != first
    own.key.unlink()
    assert len(own.state()) == 1


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (lambda one: one.certificate.unlink(), FaultKind.STORAGE, "Cannot read"),
        (lambda one: one.key.unlink(), FaultKind.STORAGE, "Cannot read"),
        (lambda one: one.certificate.write_text("no certificate"), FaultKind.BAD_INPUT, "has no certificate"),
        (lambda one: one.key.write_text("no key"), FaultKind.BAD_INPUT, "has no private key"),
        (lambda one: one.key.chmod(0o644), FaultKind.REFUSED, "chmod o="),
        (
            lambda one: one.key.write_bytes(key_text(ec.generate_private_key(ec.SECP256R1()))),
            FaultKind.BAD_INPUT,
            "is not the key of the certificate",
        ),
        (
            lambda one: one.key.write_bytes(
                rsa.generate_private_key(65_537, 2_048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            ),
            FaultKind.BAD_INPUT,
            "is not the key of the certificate",
        ),
        (
            lambda one: one.key.write_bytes(
                key_text(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"x"))
            ),
            FaultKind.BAD_INPUT,
            "is encrypted",
        ),
        (lambda one: (one.key.unlink(), os.mkfifo(one.key)), FaultKind.BAD_INPUT, "is no file"),
        (
            lambda one: one.certificate.write_text(one.certificate.read_text() + "#" * MAX_CHAIN_BYTES),
            FaultKind.BAD_INPUT,
            f"over {MAX_CHAIN_BYTES} bytes",
        ),
    ],
)
def test_what_is_wrong_is_said(
    own: OwnCertificate, harm: Callable[[OwnCertificate], object], kind: FaultKind, words: str
) -> None:  # fmt: skip
    harm(own)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        own.read()
    assert caught.value.kind is kind


def test_files_at_their_limits_are_read(own: OwnCertificate) -> None:
    for path, most in ((own.certificate, MAX_CHAIN_BYTES), (own.key, MAX_OWN_KEY_BYTES)):
        text = path.read_bytes()
        path.write_bytes(text + b"\n" * (most - len(text)))
    own.read()
    own.key.write_bytes(own.key.read_bytes() + b"\n")
    with pytest.raises(UserError, match="bytes"):
        own.read()


def test_none_is_named_by_default() -> None:
    assert OwnCertificate.of_api(ServerSettings(name="hq", address="hq.example")) is None
    named = ServerSettings(name="hq", address="hq.example", api_certificate="/c", api_key="/k")
    assert OwnCertificate.of_api(named) == OwnCertificate(Path("/c"), Path("/k"))
