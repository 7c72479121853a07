"""Renew this PC's certificates for the same key."""

from dataclasses import replace

import trio

from p2pdist.identity import store as identity_store
from p2pdist.identity.server_answers import ask, checked_validity, wrong_answers
from p2pdist.identity.store import Identity
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.enrolment import Certificates, RenewRequest
from p2pdist.trust.http_answers import Http

log = lazy_log()


async def renew(identity: Identity, now: float, http: Http, url: str) -> Identity:
    """Fetch new certificates for the same key, store them and return the new identity.

    ``url`` is the web port's. The CAs may have changed: their certificates come over a connection that the
    present control CA authenticates. Raises `UserError`; the stored identity is then
    as it was. `FaultKind.REFUSED` means that the server refused.
    """
    server = url.removeprefix("https://")
    request = RenewRequest(csr=identity_store.certificate_request(identity.key))
    certificates = await ask(http, f"{url}/v1/renew", request, Certificates, server)
    with wrong_answers(server):
        not_before, not_after = checked_validity(certificates, identity.key, now)
    renewed = replace(
        identity,
        control_certificate=certificates.control_certificate,
        swarm_certificate=certificates.swarm_certificate,
        control_ca=certificates.control_ca,
        swarm_ca=certificates.swarm_ca,
        not_before=not_before,
        not_after=not_after,
    )
    await trio.to_thread.run_sync(identity_store.save_identity, renewed)
    if (renewed.control_ca, renewed.swarm_ca) != (identity.control_ca, identity.swarm_ca):
        log.info("certificate authorities changed", server=server)
    return renewed
