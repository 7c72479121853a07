"""Decides which PCs get certificates: a token's holder once, an enrolled key again, a denied one never. Blocking."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.enrolment import Certificates, EnrolReply, EnrolRequest, RenewRequest
from seed_server.enrolment.certificate_authority import (
    CertificateAuthority,
    CertificateRequestError,
    endpoint_of_request,
)
from seed_server.store.database import Database

log = structlog.get_logger()

_TOKEN_PROBLEMS = {
    "unknown": "This token is not known here: it is for another server, or it was typed wrongly. "
    "Ask the operator for a new one.",
    "used": "This token has been used up. Ask the operator for a new one (seed-server token).",
    "expired": "This token has expired. Ask the operator for a new one (seed-server token).",
}


class RequestRefusedError(UserError):
    """A PC's request is not granted, through its own fault; the text is for the person at the PC."""


@dataclass(frozen=True)
class EnrolmentDecisions:
    """Decides on enrolments and renewals, and records what was granted. Its methods may be called from any thread."""

    server_name: str
    origin_port: int
    authority: CertificateAuthority
    database: Database
    trusted_root: Callable[[], str]
    """Return the TUF root that endpoints start from, JSON text."""

    @property
    def control_ca_pem(self) -> str:
        """The control CA's certificate; the pin in a token is its hash."""
        return self.authority.control_ca_pem

    def enrol(self, request: EnrolRequest, now: float) -> EnrolReply:
        """Exchange one use of a token for certificates. ``now`` is in seconds since 1970.

        Raises `RequestRefusedError` (BAD_INPUT, REFUSED), and `UserError` for a fault of this server.
        """
        try:
            # before the token is spent: a broken request must not cost a use
            endpoint_id, certificates = self.authority.issue_endpoint_certificates(request.csr, now)
            secret = bytes.fromhex(request.secret)
        except CertificateRequestError as error:
            raise _not_acceptable(error) from error
        except ValueError as error:
            raise RequestRefusedError(
                "The token's secret is not hexadecimal. Copy the whole token.", FaultKind.BAD_INPUT
            ) from error
        known = self.database.endpoint(endpoint_id)
        if known is not None and known.denied:
            raise RequestRefusedError(
                "This PC's key has been denied by the operator. Ask the operator to allow it.", FaultKind.REFUSED
            )
        tuf_root = self.trusted_root()
        with self.database.batch():  # the enrolment and the token's use are recorded together, or neither
            verdict = self.database.spend_token(secret, now)
            if verdict != "accepted":
                raise RequestRefusedError(_TOKEN_PROBLEMS[verdict], FaultKind.REFUSED)
            tags = self.database.token_tags(secret)
            self.database.add_endpoint(endpoint_id, request.hostname, now, tags)
        log.info("endpoint enrolled", endpoint=endpoint_id, hostname=request.hostname)
        return EnrolReply(
            endpoint_id=endpoint_id,
            server_name=self.server_name,
            origin_port=self.origin_port,
            certificates=certificates,
            tuf_root=tuf_root,
            tags=tags,
        )

    def renew(self, request: RenewRequest, now: float) -> Certificates:
        """Return new certificates for an enrolled key. Raises as `enrol`."""
        try:
            self.admit(endpoint_of_request(request.csr))  # before anything is signed: a stranger costs a look-up
            _, certificates = self.authority.issue_endpoint_certificates(request.csr, now)
        except CertificateRequestError as error:
            raise _not_acceptable(error) from error
        return certificates

    def admit(self, endpoint_id: EndpointId) -> None:
        """Raise `RequestRefusedError` (REFUSED) unless ``endpoint_id`` is enrolled and not denied."""
        endpoint = self.database.endpoint(endpoint_id)
        if endpoint is None:
            raise RequestRefusedError(
                "This PC is not enrolled here. Enrol it again with a new token (p2pdist enrol --force).",
                FaultKind.REFUSED,
            )
        if endpoint.denied:
            raise RequestRefusedError(
                "This PC has been denied by the operator. Ask the operator to allow it.", FaultKind.REFUSED
            )


def _not_acceptable(error: CertificateRequestError) -> RequestRefusedError:
    return RequestRefusedError(
        f"The request is not acceptable: {error}. Update p2pdist on this PC.", FaultKind.BAD_INPUT
    )
