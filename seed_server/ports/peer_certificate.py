"""Who a connection's verified client certificate names."""

import ssl
from dataclasses import dataclass
from typing import Any, Protocol

from p2pdist.shared.identifiers import EndpointId, InvalidIdentifierError, parse_endpoint_id


class HasPeerCertificate(Protocol):
    """A TLS connection after its handshake."""

    def getpeercert(self) -> Any:
        """As `ssl.SSLSocket.getpeercert`."""


@dataclass(frozen=True)
class PeerCertificate:
    """What a client certificate of the control CA says."""

    endpoint: EndpointId
    expires_at: float
    """Seconds since 1970, UTC."""


def peer_certificate(connection: HasPeerCertificate) -> PeerCertificate | None:
    """Return what the client's certificate says, which OpenSSL has verified; None where the client showed none.

    Raises `InvalidIdentifierError` for one that does not name one endpoint.
    """
    certificate = connection.getpeercert()
    if not certificate:
        return None
    names = certificate.get("subjectAltName", ())
    if len(names) != 1 or names[0][0] != "DNS":
        raise InvalidIdentifierError("the certificate does not name one endpoint")
    return PeerCertificate(parse_endpoint_id(names[0][1]), float(ssl.cert_time_to_seconds(certificate["notAfter"])))
