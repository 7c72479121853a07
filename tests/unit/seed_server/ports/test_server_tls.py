"""`seed_server.ports.server_tls`: what each port speaks and asks for, and where its key goes."""

import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.line.control_budget import CONNECTING_BYTES
from seed_server.ports.server_tls import ServerTls
from tests.helpers.web_harness import load

SERVER = "127.0.66.20"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path, "hq", time.time())


@pytest.fixture
def tls(authority: CertificateAuthority) -> ServerTls:
    return ServerTls(authority.control_ca_pem, authority.issue_server_certificate([SERVER], time.time()))


def client(authority: CertificateAuthority, *, issued_at: float | None = None, swarm: bool = False) -> ssl.SSLContext:
    """Return a client's context; ``issued_at``: with a certificate of that time."""
    context = ssl.create_default_context(cadata=authority.control_ca_pem)
    if issued_at is not None:
        key = new_key()
        _, certificates = authority.issue_endpoint_certificates(certificate_request(key), issued_at)
        pem = certificates.swarm_certificate if swarm else certificates.control_certificate
        load(context, pem, key)
    return context


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Return both ends after a whole handshake and one byte each way. Raises `ssl.SSLError`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=SERVER, session=session)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far, near, far):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    far.write(b"x")
    assert near.read(1) == b"x"  # with it come the tickets, if there are any
    return near, far


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(ssl.SSLError) as caught:
        yield
    assert not isinstance(caught.value, ssl.SSLWantReadError)


@pytest.mark.parametrize("port", ["web", "origin"])
def test_tls_13_alone(authority: CertificateAuthority, tls: ServerTls, port: str) -> None:
    context = client(authority, issued_at=time.time())
    near, _ = shake_hands(getattr(tls, port), context)
    assert near.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with refused():
        shake_hands(getattr(tls, port), context)


@pytest.mark.parametrize("port", ["web", "origin"])
def test_no_session_is_resumed(authority: CertificateAuthority, tls: ServerTls, port: str) -> None:
    context = client(authority, issued_at=time.time())
    near, _ = shake_hands(getattr(tls, port), context)
    assert near.session is None or not near.session.has_ticket
    again, far = shake_hands(getattr(tls, port), context, near.session)
    assert not again.session_reused
    assert far.getpeercert(), "the certificate is shown and checked each time"


def outcome(port: ssl.SSLContext, context: ssl.SSLContext) -> str:
    """Return what becomes of a client: refused, or the endpoint that the port sees; "nobody" without a certificate."""
    try:
        _, far = shake_hands(port, context)
    except ssl.SSLWantReadError:
        raise
    except ssl.SSLError:
        return "refused"
    certificate: Any = far.getpeercert()
    return "seen" if certificate else "nobody"


@pytest.mark.parametrize(
    ("shown", "web", "origin"),
    [
        pytest.param(SimpleNamespace(), "nobody", "refused", id="none"),
        pytest.param(SimpleNamespace(days=0), "seen", "seen", id="valid"),
        pytest.param(SimpleNamespace(days=-30), "seen", "refused", id="expired"),
        pytest.param(SimpleNamespace(days=0, swarm=True), "refused", "refused", id="of the swarm CA"),
        pytest.param(SimpleNamespace(days=0, foreign=True), "refused", "refused", id="of a foreign CA"),
    ],
)
def test_client_certificates(
    authority: CertificateAuthority, tls: ServerTls, tmp_path: Path, shown: SimpleNamespace, web: str, origin: str
) -> None:
    days = getattr(shown, "days", None)
    issued_at = None if days is None else time.time() + days * DAY_SECONDS
    issuer = authority
    if hasattr(shown, "foreign"):
        (tmp_path / "foreign").mkdir()
        issuer = CertificateAuthority.create(tmp_path / "foreign", "hq", time.time())
    context = client(issuer, issued_at=issued_at, swarm=hasattr(shown, "swarm"))
    context.load_verify_locations(cadata=authority.control_ca_pem)
    assert (outcome(tls.web, context), outcome(tls.origin, context)) == (web, origin)


def test_the_server_s_own_certificate_is_no_client_s(authority: CertificateAuthority, tls: ServerTls) -> None:
    own = authority.issue_server_certificate([endpoint_id_of_key(new_key())], time.time())
    context = ssl.create_default_context(cadata=authority.control_ca_pem)
    load(context, own.certificate_pem.decode(), own.key_pem.decode())
    assert (outcome(tls.web, context), outcome(tls.origin, context)) == ("refused", "refused")


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
def test_the_key_never_touches_a_disk(
    authority: CertificateAuthority, tls: ServerTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was made for the key")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    tls.replace_certificate(authority.issue_server_certificate([SERVER], time.time()))


def test_full_memory_is_told(authority: CertificateAuthority, tls: ServerTls, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(os, "memfd_create", full, raising=False)
    with pytest.raises(UserError) as caught:
        tls.replace_certificate(authority.issue_server_certificate([SERVER], time.time()))
    assert caught.value.kind is FaultKind.STORAGE


def test_a_handshake_is_no_longer_after_the_certificate_was_replaced(
    authority: CertificateAuthority, tls: ServerTls
) -> None:
    def flight_bytes() -> int:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client(authority).wrap_bio(to_client, to_server, server_hostname=SERVER)
        far = tls.origin.wrap_bio(to_server, to_client, server_side=True)
        for end in (near, far):
            with pytest.raises(ssl.SSLWantReadError):
                end.do_handshake()
        return to_client.pending

    before = flight_bytes()
    for _ in range(2):
        tls.replace_certificate(authority.issue_server_certificate([SERVER], time.time()))
    assert abs(flight_bytes() - before) < 16, "signatures differ by some bytes"
    assert before < CONNECTING_BYTES, "so much of it is counted on the site's line"
