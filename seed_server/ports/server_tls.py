"""The TLS contexts of both ports, whose certificate can be replaced while they serve."""

import ssl
import tempfile

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.named_memory import named_memory
from seed_server.enrolment.certificate_authority import ServerCertificate

HANDSHAKE_SECONDS = 10.0  # of either port: TCP and TLS over a bad branch line
NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name


class ServerTls:
    """Two TLS 1.3 contexts with one certificate; neither resumes sessions."""

    def __init__(self, control_ca_pem: str, certificate: ServerCertificate) -> None:
        self._control_ca_pem = control_ca_pem.encode()
        self.web = _context(control_ca_pem)
        """For the web port: a client certificate is optional. One that is shown is of the control CA; it may have
        expired, for a PC that was off for a week fetches metadata before anything else."""
        self.web.verify_mode = ssl.CERT_OPTIONAL
        self.web.verify_flags |= NO_CHECK_TIME
        self.web.set_alpn_protocols(["http/1.1"])
        self.origin = _context(control_ca_pem)
        """For the origin port: a valid client certificate of the control CA is required."""
        self.origin.verify_mode = ssl.CERT_REQUIRED
        self.replace_certificate(certificate)

    def replace_certificate(self, certificate: ServerCertificate) -> None:
        """Use ``certificate`` for new connections; open ones go on.

        Blocks for a millisecond, as OpenSSL reads files only. Raises `UserError` (STORAGE).
        """
        # OpenSSL sends the authority's certificate in any case; where it is not given here, it looks for it and checks
        # its own certificate's signature at each handshake
        self.replace_chain(certificate.certificate_pem + self._control_ca_pem + certificate.key_pem)

    def replace_chain(self, pem: bytes) -> None:
        """Use a certificate, those of its authorities and its key, one below the other, as `replace_certificate`."""
        try:
            with named_memory(pem) as chain:
                for context in (self.web, self.origin):
                    context.load_cert_chain(chain)
        except ssl.SSLError as error:
            raise UserError(
                f"OpenSSL does not take the server's certificate: {error.reason or error}.", FaultKind.BAD_INPUT
            ) from error
        except OSError as error:
            raise UserError(
                f"Cannot hand OpenSSL the server's certificate: {error.strerror}. Free some memory, "
                f"and some space in {tempfile.gettempdir()}.",
                FaultKind.STORAGE,
            ) from error


def _context(control_ca_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=control_ca_pem)
    # a resumed session would skip the check of the client's certificate, which may have expired since
    context.num_tickets = 0
    return context
