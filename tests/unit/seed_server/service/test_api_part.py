"""`seed_server.service.api_part`: the certificate of its port, where the company brings its own."""

import ssl
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.own_certificate import OwnCertificate
from seed_server.ports.server_tls import ServerTls
from seed_server.service.api_part import OWN_CERTIFICATE_SECONDS, keep_own_certificate
from tests.helpers.certificates import Authority

pytestmark = pytest.mark.trio


def write_pair(own: OwnCertificate, company: Authority, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own.certificate.write_text(company.leaf(key.public_key(), name))
    own.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    own.key.chmod(0o600)


async def name_shown(tls: ServerTls) -> str:
    """Return the name in the certificate that a client is shown."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    near, far = trio.testing.memory_stream_pair()
    asks = trio.SSLStream(near, client)
    answers = trio.SSLStream(far, tls.web, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answers.do_handshake)
        await asks.do_handshake()
    der = asks.getpeercert(binary_form=True)
    pem = ssl.DER_cert_to_PEM_cert(der)
    from cryptography import x509

    names = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return str(next(iter(names.value)).value)


async def test_the_files_certificate_is_shown_and_the_next_one_when_they_change(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:  # fmt: skip
    del autojump_clock
    authority = CertificateAuthority.create(tmp_path / "ca", "hq", 1_800_000_000.0)
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate(["hq.example"], 1_800_000_000.0))
    tls.web.verify_mode = ssl.CERT_NONE
    own, company = OwnCertificate(tmp_path / "hq.pem", tmp_path / "hq.key"), Authority("Example Company")
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_own_certificate, tls, own)
        assert await name_shown(tls) == "hq.example"  # the files are not there yet: the server's own one goes on
        for name in ("first.example", "second.example"):
            write_pair(own, company, name)
            await trio.sleep(OWN_CERTIFICATE_SECONDS + 1)
            assert await name_shown(tls) == name
        own.key.write_text("damaged")
        await trio.sleep(OWN_CERTIFICATE_SECONDS + 1)
        assert await name_shown(tls) == "second.example"
        write_pair(own, company, "third.example")
        await trio.sleep(OWN_CERTIFICATE_SECONDS + 1)
        assert await name_shown(tls) == "third.example"
        nursery.cancel_scope.cancel()
