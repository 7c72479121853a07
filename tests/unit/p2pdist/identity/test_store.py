"""The identity on disk: whole or not at all, for its owner alone, and usable for TLS."""

import dataclasses
import errno
import os
import ssl
import stat
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from p2pdist.identity import store as identity_store
from p2pdist.identity.store import Identity
from p2pdist.shared.errors import FaultKind, UserError


@pytest.fixture
def authority(certificates: ModuleType) -> Any:
    return certificates.Authority("control")


def make_identity(authority: Any, home: Path, key: str, **leaf: Any) -> Identity:
    public = serialization.load_pem_private_key(key.encode(), None).public_key()
    endpoint_id = identity_store.endpoint_id_of_key(key)
    control, swarm = authority.leaf(public, endpoint_id, **leaf), authority.leaf(public, "*", **leaf)
    not_before, not_after = identity_store.validity(control, swarm)
    return Identity(
        home=home, endpoint_id=endpoint_id, server_address="127.0.0.1", web_port=8443, origin_port=7690,
        server_name="hq", control_certificate=control, swarm_certificate=swarm, control_ca=authority.pem,
        swarm_ca=authority.pem, key=key, tuf_root=b"{}", not_before=not_before, not_after=not_after,
    )  # fmt: skip


@pytest.fixture
def identity(authority: Any, tmp_path: Path) -> Identity:
    return make_identity(authority, tmp_path, identity_store.load_or_create_key(tmp_path))


def exit_code(home: Path) -> tuple[FaultKind, str]:
    with pytest.raises(UserError) as caught:
        identity_store.load_identity(home)
    return caught.value.kind, caught.value.message


def test_what_is_saved_is_loaded(identity: Identity, tmp_path: Path) -> None:
    identity_store.save_identity(identity)
    assert identity_store.load_identity(tmp_path) == identity


def test_tags_are_kept_and_a_file_from_before_there_were_any_has_none(identity: Identity, tmp_path: Path) -> None:
    tagged = dataclasses.replace(identity, tags=("branch-7", "kiosk"))
    identity_store.save_identity(tagged)
    assert identity_store.load_identity(tmp_path) == tagged
    path = tmp_path / "identity" / "identity.json"
    stored = msgspec.json.decode(path.read_bytes())
    del stored["tags"]
    path.write_bytes(msgspec.json.encode(stored))
    assert identity_store.load_identity(tmp_path) == identity


def test_the_key_and_its_directory_are_for_the_owner_alone(identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "identity").chmod(0o755)
    identity_store.save_identity(identity)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "identity").iterdir()}
    assert modes == {"key.pem": 0o600, "identity.json": 0o600}
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


def test_the_key_is_in_no_other_file(identity: Identity, tmp_path: Path) -> None:
    identity_store.save_identity(identity)
    assert b"PRIVATE" not in (tmp_path / "identity" / "identity.json").read_bytes()


def test_a_home_without_identity_says_how_to_enrol(tmp_path: Path) -> None:
    code, message = exit_code(tmp_path)
    assert code == FaultKind.NOT_SET_UP
    assert "p2pdist enrol" in message


def test_a_key_alone_is_not_enrolled(tmp_path: Path) -> None:
    identity_store.load_or_create_key(tmp_path)
    assert not identity_store.is_enrolled(tmp_path)
    assert exit_code(tmp_path)[0] == FaultKind.NOT_SET_UP


def test_the_key_is_made_once_and_anew_when_damaged(tmp_path: Path) -> None:
    key = identity_store.load_or_create_key(tmp_path)
    assert identity_store.load_or_create_key(tmp_path) == key
    (tmp_path / "identity" / "key.pem").write_text(key[:60])
    assert identity_store.load_or_create_key(tmp_path) != key


@pytest.mark.parametrize("file", ["identity.json", "key.pem"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\x00", b"x" * (identity_store.MAX_IDENTITY_BYTES + 1)])
def test_a_damaged_identity_says_so(identity: Identity, tmp_path: Path, file: str, damage: bytes) -> None:
    identity_store.save_identity(identity)
    (tmp_path / "identity" / file).write_bytes(damage)
    code, message = exit_code(tmp_path)
    assert code == FaultKind.NOT_SET_UP
    assert "--force" in message


def test_a_key_that_is_not_the_certificates_is_noticed(identity: Identity, tmp_path: Path) -> None:
    identity_store.save_identity(identity)
    (tmp_path / "identity" / "key.pem").write_text(identity_store.new_key())
    assert "damaged" in exit_code(tmp_path)[1]


def test_a_write_that_fails_leaves_the_old_identity(
    identity: Identity, authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity_store.save_identity(identity)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    renewed = make_identity(authority, tmp_path, identity.key, life=timedelta(hours=48))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError) as caught:
            identity_store.save_identity(renewed)
    assert caught.value.kind == FaultKind.STORAGE
    assert identity_store.load_identity(tmp_path) == identity
    assert sorted(path.name for path in (tmp_path / "identity").iterdir()) == ["identity.json", "key.pem"]


def test_renewal_is_due_at_half_of_the_life(identity: Identity) -> None:
    middle = (identity.not_before + identity.not_after) / 2
    assert not identity_store.renewal_due(identity, middle - 1)
    assert identity_store.renewal_due(identity, middle)


def test_the_shorter_certificate_decides(authority: Any) -> None:
    public = serialization.load_pem_private_key(identity_store.new_key().encode(), None).public_key()
    start = datetime(2027, 1, 1, tzinfo=UTC)
    early = authority.leaf(public, "*", start=start, life=timedelta(hours=10))
    late = authority.leaf(public, "*", start=start + timedelta(hours=1), life=timedelta(hours=20))
    first, last = start.timestamp() + 3600, start.timestamp() + 36_000
    assert identity_store.validity(early, late) == identity_store.validity(late, early) == (first, last)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bytes:
    """Return the client certificate that the server has seen."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [here, there]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting
    return there.getpeercert(binary_form=True) or b""


def test_the_control_context_shows_our_certificate_and_checks_the_server(
    identity: Identity, authority: Any, certificates: ModuleType, tmp_path: Path
) -> None:
    identity_store.save_identity(identity)
    context = identity_store.control_ssl_context(identity)
    server = certificates.server_context(authority, tmp_path, "127.0.0.1")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=authority.pem)
    seen = x509.load_der_x509_certificate(handshake(context, server, "127.0.0.1"))
    assert seen == x509.load_pem_x509_certificate(identity.control_certificate.encode())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, server, "127.0.0.2")
    foreign = certificates.server_context(certificates.Authority("other"), tmp_path, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, foreign, "127.0.0.1")
    endpoint = certificates.server_context(authority, tmp_path, "127.0.0.1", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, endpoint, "127.0.0.1")


def test_the_control_context_leaves_no_file_behind(identity: Identity, tmp_path: Path) -> None:
    identity_store.save_identity(identity)
    identity_store.control_ssl_context(identity)
    assert sorted(path.name for path in (tmp_path / "identity").iterdir()) == ["identity.json", "key.pem"]
    (tmp_path / "identity" / "chain-killed").write_text("")
    identity_store.load_identity(tmp_path)
    assert not (tmp_path / "identity" / "chain-killed").exists()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
def test_a_full_disk_keeps_nobody_from_connecting(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    identity_store.save_identity(identity)

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", full)
    identity_store.control_ssl_context(identity)


def test_a_key_that_does_not_fit_is_an_error_for_people(identity: Identity, authority: Any, tmp_path: Path) -> None:
    identity_store.save_identity(identity)
    other = make_identity(authority, tmp_path, identity_store.new_key())
    with pytest.raises(UserError) as caught:
        identity_store.control_ssl_context(replace(identity, control_certificate=other.control_certificate))
    assert caught.value.kind == FaultKind.NOT_SET_UP


def test_a_request_proves_the_key_and_does_not_carry_it() -> None:
    key = identity_store.new_key()
    request = x509.load_pem_x509_csr(identity_store.certificate_request(key).encode())
    assert request.is_signature_valid
    with pytest.raises(ValueError, match="P-256"):
        identity_store.endpoint_id_of_key(
            ec.generate_private_key(ec.SECP384R1())
            .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            .decode()
        )


def test_a_key_for_another_identity_waits_beside_the_present_one_until_that_is_saved(
    authority: Any, identity: Identity, tmp_path: Path
) -> None:
    identity_store.save_identity(identity)
    key = identity_store.load_or_create_next_key(tmp_path)
    assert identity_store.load_or_create_next_key(tmp_path) == key != identity.key
    assert identity_store.load_identity(tmp_path) == identity, "until then it is the same as before"
    identity_store.save_identity(make_identity(authority, tmp_path, key))
    assert identity_store.load_identity(tmp_path).endpoint_id == identity_store.endpoint_id_of_key(key)
    assert identity_store.load_or_create_next_key(tmp_path) != key, "for the next time, another one"
