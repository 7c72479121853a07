"""Decides which PCs get certificates: a token's holder once, an enrolled key again, a denied one never. Blocking."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire.enrolment import Certificates, EnrolReply, EnrolRequest, RenewRequest
from seed_server.enrolment.certificate_authority import (
    ENDPOINT_LIFETIME_SECONDS,
    CertificateAuthority,
    CertificateRequestError,
    endpoint_of_request,
)
from seed_server.store.database import Database
from seed_server.store.rows import EndpointRow
from seed_server.store.token_names import token_id_of

log = lazy_log()

_TOKEN_PROBLEMS = {
    "unknown": "This token is not known here: it is for another server, or it was typed wrongly. "
    "Ask the operator for a new one.",
    "used": "This token has been used up. Ask the operator for a new one (seed-server token).",
    "expired": "This token has expired. Ask the operator for a new one (seed-server token).",
    "revoked": "This token has been revoked. Ask the operator for a new one (seed-server token).",
}


class RequestRefusedError(UserError):
    """A PC's request is not granted, through its own fault; the text is for the person at the PC."""


@dataclass
class EnrolmentRecord:
    """What an enrolment changes, as it becomes known."""

    address: str = ""
    """From where it was asked for."""
    token_id: str = ""
    before: EndpointRow | None = None
    """The PC as it was; None: it was not enrolled."""
    after: EndpointRow | None = None
    """The PC as it is; None: nothing has changed."""


Recording: TypeAlias = Callable[[Database, EnrolmentRecord], AbstractContextManager[None]]
"""Surrounds an enrolment: one transaction with whatever keeps a record of it."""


def without_record(database: Database, _enrolled: EnrolmentRecord) -> AbstractContextManager[None]:
    """Surround an enrolment of which no record is kept."""
    return database.batch()


@dataclass(frozen=True)
class EnrolmentDecisions:
    """Decides on enrolments and renewals, and records what was granted. Its methods may be called from any thread."""

    server_name: str
    origin_port: int
    authority: CertificateAuthority
    database: Database
    trusted_root: Callable[[], str]
    """Return the TUF root that endpoints start from, JSON text."""
    recording: Recording = without_record
    lifetime_seconds: Callable[[], int] = lambda: ENDPOINT_LIFETIME_SECONDS
    """Return how long certificates last that are issued now."""

    @property
    def control_ca_pem(self) -> str:
        """The control CA's certificate; the pin in a token is its hash."""
        return self.authority.control_ca_pem

    def enrol(self, request: EnrolRequest, now: float, *, address: str = "") -> EnrolReply:
        """Exchange one use of a token for certificates. ``now`` is in seconds since 1970; ``address``: who asks.

        A PC that asks again with its token, because the reply was lost, is answered as before: it spends no further
        use and stays enrolled since the first time. One whose token asks for approval is refused until an operator has
        allowed it.

        Raises `RequestRefusedError` (BAD_INPUT, REFUSED), and `UserError` for a fault of this server.
        """
        try:
            endpoint_id = endpoint_of_request(request.csr)  # nothing is signed before the token is known to be good
            secret = bytes.fromhex(request.secret)
        except CertificateRequestError as error:
            raise _not_acceptable(error) from error
        except ValueError as error:
            raise RequestRefusedError(
                "The token's secret is not hexadecimal. Copy the whole token.", FaultKind.BAD_INPUT
            ) from error
        hostname = printable(request.hostname)  # odd names are the PC's own business, but operators read them
        tuf_root = self.trusted_root()
        enrolled = EnrolmentRecord(address, token_id_of(secret))
        # the enrolment and the token's use are recorded together, or neither: a broken request costs no use
        with self.recording(self.database, enrolled):
            enrolled.before = self.database.endpoint(endpoint_id)
            spent = self._record(enrolled.before, endpoint_id, hostname, secret, now)
            is_new = enrolled.before is None
            tags = self.database.token_tags(secret)
            pending = is_new and self.database.token_needs_approval(secret)
            if pending:
                self.database.set_denied(endpoint_id, denied=True, pending=True)
            certificates = None if pending else self._issued(request.csr, now)
            if spent:
                enrolled.after = self.database.endpoint(endpoint_id)
        if is_new:  # a PC that asks again and again must not fill the log
            self._log_new(endpoint_id, hostname, pending=pending)
        if certificates is None:
            raise _pending(endpoint_id)
        return EnrolReply(
            endpoint_id=endpoint_id,
            server_name=self.server_name,
            origin_port=self.origin_port,
            certificates=certificates,
            tuf_root=tuf_root,
            tags=tags,
        )

    def _record(self, known: EndpointRow | None, endpoint_id: str, hostname: str, secret: bytes, now: float) -> bool:
        """Record that a token's holder enrols; return whether it has spent a use: else nothing changes.

        Raises as `enrol`.
        """
        if known is not None and known.denied:
            raise _denied(known)
        verdict = self.database.spend_token(secret, now, endpoint_id)
        if (problem := _TOKEN_PROBLEMS.get(verdict)) is not None:
            raise RequestRefusedError(problem, FaultKind.REFUSED)
        if verdict == "again":
            return False
        self.database.add_endpoint(endpoint_id, hostname, now, self.database.token_tags(secret))
        self.database.add_enrolment(endpoint_id, token_id_of(secret), now)
        return True

    def _log_new(self, endpoint_id: str, hostname: str, *, pending: bool) -> None:
        if namesakes := self.database.denied_named(hostname, endpoint_id):
            log.warning("a PC enrols with the name of a denied one", endpoint=endpoint_id, denied=namesakes[0])
        if pending:
            log.warning("a PC waits to be allowed", endpoint=endpoint_id, hostname=hostname)
        else:
            log.info("endpoint enrolled", endpoint=endpoint_id, hostname=hostname)

    def renew(self, request: RenewRequest, now: float) -> Certificates:
        """Return new certificates for an enrolled key. Raises as `enrol`."""
        try:
            self.admit(endpoint_of_request(request.csr))  # before anything is signed: a stranger costs a look-up
        except CertificateRequestError as error:
            raise _not_acceptable(error) from error
        return self._issued(request.csr, now)

    def _issued(self, csr: str, now: float) -> Certificates:
        try:
            lifetime = self.lifetime_seconds()
            return self.authority.issue_endpoint_certificates(csr, now, lifetime_seconds=lifetime)[1]
        except CertificateRequestError as error:
            raise _not_acceptable(error) from error

    def admit(self, endpoint_id: EndpointId) -> None:
        """Raise `RequestRefusedError` (REFUSED) unless ``endpoint_id`` is enrolled and not denied."""
        endpoint = self.database.endpoint(endpoint_id)
        if endpoint is None:
            raise RequestRefusedError(
                "This PC is not enrolled here. Enrol it again with a new token (p2pdist enrol --force).",
                FaultKind.REFUSED,
            )
        if endpoint.denied:
            raise _denied(endpoint)


def _denied(endpoint: EndpointRow) -> RequestRefusedError:
    if endpoint.pending:
        return _pending(endpoint.endpoint_id)
    return RequestRefusedError(
        "This PC has been denied by the operator. Ask the operator to allow it.", FaultKind.REFUSED
    )


def _pending(endpoint_id: str) -> RequestRefusedError:
    return RequestRefusedError(
        f"This PC waits for the operator to allow it, as {endpoint_id} (seed-server allow {endpoint_id}). "
        "Then run the same command again.",
        FaultKind.REFUSED,
    )


def _not_acceptable(error: CertificateRequestError) -> RequestRefusedError:
    return RequestRefusedError(
        f"The request is not acceptable: {error}. Update p2pdist on this PC.", FaultKind.BAD_INPUT
    )
