"""The TLS contexts of both ports, whose certificate can be replaced while they serve."""

import ssl
import tempfile
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.certificate_authority import ServerCertificate

HANDSHAKE_SECONDS = 10.0  # of either port: TCP and TLS over a bad branch line


class ServerTls:
    """Two TLS 1.3 contexts with one certificate."""

    def __init__(self, control_ca_pem: str, certificate: ServerCertificate) -> None:
        self.web = _context()
        """For the web port: no client certificate."""
        self.origin = _context()
        """For the origin port: a client certificate of the control CA is required."""
        self.origin.verify_mode = ssl.CERT_REQUIRED
        self.origin.load_verify_locations(cadata=control_ca_pem)
        # a resumed session would skip the check of the client's certificate, which may have expired since
        self.origin.num_tickets = 0
        self.replace_certificate(certificate)

    def replace_certificate(self, certificate: ServerCertificate) -> None:
        """Use ``certificate`` for new connections; open ones go on.

        Blocks for a millisecond, as OpenSSL reads files only. Raises `UserError` (STORAGE).
        """
        try:
            with tempfile.TemporaryDirectory(prefix="seed-server-tls-") as directory:  # mode 0700
                chain = Path(directory, "chain.pem")
                chain.write_bytes(certificate.certificate_pem + certificate.key_pem)
                for context in (self.web, self.origin):
                    context.load_cert_chain(chain)
        except OSError as error:
            raise UserError(
                f"Cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror}. Free some space there.",
                FaultKind.STORAGE,
            ) from error


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
