"""`seed_server.enrolment.certificate_authority`: real certificates, used in real TLS handshakes and by OpenSSL."""

import hashlib
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import endpoint_id_of_public_key
from p2pdist.shared.wire.enrolment import MAX_PEM_CHARS
from seed_server.enrolment.certificate_authority import (
    CLOCK_SKEW_SECONDS,
    ENDPOINT_LIFETIME_SECONDS,
    CertificateAuthority,
    CertificateRequestError,
)

NOW = time.time()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    directory = tmp_path_factory.mktemp("home") / "ca"
    CertificateAuthority.create(directory, "hq", NOW)
    return CertificateAuthority.open(directory)


def request_for(key: ec.EllipticCurvePrivateKey, *, subject: str = "anything") -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("server.example")]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, server_hostname: str | None) -> ssl.SSLObject:
    """Carry a whole TLS 1.3 handshake through memory; return the server's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_end = client.wrap_bio(to_client, to_server, server_hostname=server_hostname)
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client_end, server_end):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    server_end.do_handshake()
    assert server_end.version() == client_end.version() == "TLSv1.3"
    return server_end


def context(side: int, chain: str | bytes | None, ca: str, directory: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(side)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    made.load_verify_locations(cadata=ca)
    if side == ssl.PROTOCOL_TLS_SERVER:
        made.verify_mode = ssl.CERT_REQUIRED
    if chain is not None:
        path = directory / f"{hashlib.sha256(chain if isinstance(chain, bytes) else chain.encode()).hexdigest()}.pem"
        path.write_bytes(chain if isinstance(chain, bytes) else chain.encode())
        made.load_cert_chain(path)
    return made


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "patches.example.com"])
def test_both_ends_accept_each_other_on_the_origin_port(
    authority: CertificateAuthority, tmp_path: Path, address: str
) -> None:
    server = authority.issue_server_certificate([address], NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    endpoint_id, issued = authority.issue_endpoint_certificates(request_for(key), NOW)
    end = handshake(
        context(ssl.PROTOCOL_TLS_CLIENT, issued.control_certificate + pem(key), issued.control_ca, tmp_path),
        context(ssl.PROTOCOL_TLS_SERVER, server.certificate_pem + server.key_pem, authority.control_ca_pem, tmp_path),
        address,
    )
    certificate = end.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("DNS", endpoint_id),)


def test_a_swarm_certificate_does_not_open_the_origin_port(authority: CertificateAuthority, tmp_path: Path) -> None:
    server = authority.issue_server_certificate(["127.0.0.1"], NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    _, issued = authority.issue_endpoint_certificates(request_for(key), NOW)
    client = context(ssl.PROTOCOL_TLS_CLIENT, issued.swarm_certificate + pem(key), issued.control_ca, tmp_path)
    server_side = context(
        ssl.PROTOCOL_TLS_SERVER, server.certificate_pem + server.key_pem, authority.control_ca_pem, tmp_path
    )
    with pytest.raises(ssl.SSLError, match="unable to get local issuer|unknown ca"):
        handshake(client, server_side, "127.0.0.1")


def test_an_endpoint_cannot_play_the_server(authority: CertificateAuthority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    endpoint_id, issued = authority.issue_endpoint_certificates(request_for(key), NOW)
    chain = issued.control_certificate + pem(key)
    with pytest.raises(ssl.SSLError, match="unsuitable certificate purpose|unsupported certificate purpose"):
        handshake(
            context(ssl.PROTOCOL_TLS_CLIENT, chain, issued.control_ca, tmp_path),
            context(ssl.PROTOCOL_TLS_SERVER, chain, issued.control_ca, tmp_path),
            endpoint_id,
        )


def test_swarm_certificates_serve_both_ends_on_the_lan(authority: CertificateAuthority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _, issued = authority.issue_endpoint_certificates(request_for(key), NOW)
    chain = issued.swarm_certificate + pem(key)
    client = context(ssl.PROTOCOL_TLS_CLIENT, chain, issued.swarm_ca, tmp_path)
    client.check_hostname = False
    handshake(client, context(ssl.PROTOCOL_TLS_SERVER, chain, issued.swarm_ca, tmp_path), None)


def test_openssl_verifies_strictly(authority: CertificateAuthority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _, issued = authority.issue_endpoint_certificates(request_for(key), NOW)
    leaves = {"control": issued.control_certificate, "swarm": issued.swarm_certificate}
    for name, ca in (("control", issued.control_ca), ("swarm", issued.swarm_ca)):
        (tmp_path / "ca.pem").write_text(ca)
        (tmp_path / "leaf.pem").write_text(leaves[name])
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", str(tmp_path / "ca.pem")]
        subprocess.run([*command, str(tmp_path / "leaf.pem")], check=True, capture_output=True)


def test_the_server_sets_everything_in_an_endpoints_certificates(authority: CertificateAuthority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    endpoint_id, issued = authority.issue_endpoint_certificates(request_for(key, subject="evil"), NOW)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert endpoint_id == endpoint_id_of_public_key(spki)
    control, swarm = (
        x509.load_pem_x509_certificate(text.encode()) for text in (issued.control_certificate, issued.swarm_certificate)
    )
    for certificate, name, ca_pem in ((control, endpoint_id, issued.control_ca), (swarm, "*", issued.swarm_ca)):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem.encode()))
        extensions = certificate.extensions
        assert extensions.get_extension_for_class(x509.SubjectAlternativeName).value == x509.SubjectAlternativeName(
            [x509.DNSName(name)]
        )
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert b"evil" not in certificate.public_bytes(Encoding.DER)
        assert certificate.not_valid_before_utc.timestamp() == int(NOW - CLOCK_SKEW_SECONDS)
        assert certificate.not_valid_after_utc.timestamp() == int(NOW + ENDPOINT_LIFETIME_SECONDS)
    usage = control.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert endpoint_id.encode() not in swarm.public_bytes(Encoding.DER)


def test_requests_that_are_not_acceptable(authority: CertificateAuthority) -> None:
    good = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    der = bytearray(x509.load_pem_x509_csr(request_for(good).encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1  # in the signature
    forged = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    p384 = builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())
    rsa_request = builder.sign(rsa.generate_private_key(65_537, 2_048), hashes.SHA256())
    ed_request = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)
    cases = [
        (forged, "signed by its own key|readable"),
        *((request.public_bytes(Encoding.PEM).decode(), "P-256") for request in (p384, rsa_request, ed_request)),
        ("", "readable"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "readable"),
        ("\udcff", "readable"),
        ("x" * (MAX_PEM_CHARS + 1), "characters"),
    ]
    for text, words in cases:
        with pytest.raises(CertificateRequestError, match=words):
            authority.issue_endpoint_certificates(text, NOW)


def test_the_pin_is_that_of_the_control_ca(authority: CertificateAuthority) -> None:
    der = ssl.PEM_cert_to_DER_cert(authority.control_ca_pem)
    assert authority.control_ca_pin() == hashlib.sha256(der).digest()


def test_missing_and_mixed_up_files(tmp_path: Path) -> None:
    CertificateAuthority.create(tmp_path, "hq", NOW)
    control, swarm = tmp_path / "control-ca.key.pem", tmp_path / "swarm-ca.key.pem"
    assert control.stat().st_mode & 0o777 == 0o600
    control.write_bytes(swarm.read_bytes())
    with pytest.raises(UserError, match="do not belong together") as caught:
        CertificateAuthority.open(tmp_path)
    assert caught.value.kind is FaultKind.STORAGE
    control.unlink()
    with pytest.raises(UserError, match="Cannot read"):
        CertificateAuthority.open(tmp_path)
