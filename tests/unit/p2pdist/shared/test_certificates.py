"""`p2pdist.shared.certificates`: hostile bytes are a `ValueError`, whatever is wrong with them."""

import contextlib
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.certificates import parse_certificate

_KEY = ec.generate_private_key(ec.SECP256R1())
_NAME = x509.Name([])
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(_NAME)
    .issuer_name(_NAME)
    .public_key(_KEY.public_key())
    .serial_number(1)
    .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    .not_valid_after(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    .sign(_KEY, hashes.SHA256())
)
DER = CERTIFICATE.public_bytes(Encoding.DER)


def test_a_certificate_is_read() -> None:
    assert parse_certificate(CERTIFICATE.public_bytes(Encoding.PEM)) == CERTIFICATE


def test_a_version_that_does_not_exist_is_a_value_error() -> None:
    der = bytearray(DER)
    der[der.index(b"\xa0\x03\x02\x01\x02") + 4] = 7
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).encode()
    with pytest.raises(x509.InvalidVersion):
        x509.load_pem_x509_certificate(pem)
    with pytest.raises(ValueError, match="InvalidVersion"):
        parse_certificate(pem)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_any_byte_may_be_wrong(at: int, value: int) -> None:
    der = bytearray(DER)
    der[at] = value
    with contextlib.suppress(ValueError):
        parse_certificate(ssl.DER_cert_to_PEM_cert(bytes(der)).encode())
