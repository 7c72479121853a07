"""Attacks on what a PC states of itself to network access control: made up, of somebody else, old, or shown again."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from p2pdist.identity import store
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity
from p2pdist.shared.statement_check import Statement, StatementError, StatementFault, check_statement
from tests.helpers.statements import Company, packed, statement, unpacked

NOW = 1_900_000_000.0
HOUR = 3_600.0


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path / "ca", NOW)


@pytest.fixture
def pc(company: Company) -> Identity:
    return company.pc(NOW)


def check(company: Company, jws: str, now: float = NOW, nonce: str = "", audience: str = "") -> Statement:
    return check_statement(jws, company.control_ca, now, longest_seconds=300.0, nonce=nonce, audience=audience)


def refused(company: Company, jws: str, now: float = NOW, nonce: str = "", audience: str = "") -> StatementFault:
    with pytest.raises(StatementError) as caught:
        check(company, jws, now, nonce, audience)
    return caught.value.fault


def self_made(key: str, name: str) -> str:
    """Return a certificate that looks as if the control CA had issued it, signed by its own key."""
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hq control CA")])
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(moment - dt.timedelta(hours=1))
        .not_valid_after(moment + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), critical=False)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_self_made_certificate_proves_nothing(company: Company) -> None:
    key = store.new_key()
    name = store.endpoint_id_of_key(key)
    nobody = replace(company.pc(NOW), key=key, endpoint_id=name, control_certificate=self_made(key, name))
    assert refused(company, sign_statement(nobody, statement(nobody, NOW))) is StatementFault.UNTRUSTED


def test_another_companys_pc_proves_nothing(company: Company, tmp_path: Path) -> None:
    foreign = Company(tmp_path / "other", NOW).pc(NOW)
    assert refused(company, sign_statement(foreign, statement(foreign, NOW))) is StatementFault.UNTRUSTED


def test_certificates_for_another_purpose_prove_nothing(company: Company, pc: Identity) -> None:
    swarm = replace(pc, control_certificate=pc.swarm_certificate)
    assert refused(company, sign_statement(swarm, statement(pc, NOW))) is StatementFault.UNTRUSTED
    made = company.authority.issue_server_certificate(["127.0.65.1"], NOW)
    server = replace(pc, key=made.key_pem.decode(), control_certificate=made.certificate_pem.decode())
    assert refused(company, sign_statement(server, statement(pc, NOW))) is StatementFault.UNTRUSTED


def test_the_certificate_must_have_been_valid_then(company: Company, pc: Identity) -> None:
    late = NOW + 25 * HOUR
    jws = sign_statement(pc, statement(pc, late))
    assert refused(company, jws, late) is StatementFault.UNTRUSTED
    # and a time at which it was valid is too long ago
    assert refused(company, sign_statement(pc, statement(pc, NOW)), late) is StatementFault.STALE


def test_a_pc_cannot_speak_of_another(company: Company, pc: Identity) -> None:
    victim = company.pc(NOW)
    assert refused(company, sign_statement(pc, statement(victim, NOW))) is StatementFault.ANOTHER_PC
    as_the_victim = replace(pc, endpoint_id=victim.endpoint_id)
    assert refused(company, sign_statement(as_the_victim, statement(victim, NOW))) is StatementFault.ANOTHER_PC


def test_a_good_statement_shown_again_is_noticed(company: Company, pc: Identity) -> None:
    jws = sign_statement(pc, statement(pc, NOW, nonce="5f0c2e", audience="vpn.example.com"))
    asked = {"nonce": "5f0c2e", "audience": "vpn.example.com"}
    assert check(company, jws, NOW + 299, **asked).compliant
    assert refused(company, jws, NOW + 301, **asked) is StatementFault.STALE
    assert refused(company, jws, NOW - 301, **asked) is StatementFault.STALE
    assert refused(company, jws, nonce="another", audience="vpn.example.com") is StatementFault.WRONG_NONCE
    for audience in ("wifi.example.com", ""):
        assert refused(company, jws, nonce="5f0c2e", audience=audience) is StatementFault.WRONG_AUDIENCE
    unasked = sign_statement(pc, statement(pc, NOW))
    assert refused(company, unasked, nonce="5f0c2e") is StatementFault.WRONG_NONCE
    assert refused(company, unasked, audience="vpn.example.com") is StatementFault.WRONG_AUDIENCE


def test_a_changed_statement_is_noticed(company: Company, pc: Identity) -> None:
    header, body, signature = sign_statement(pc, statement(pc, NOW, compliant=False)).split(".")
    forged = packed(unpacked(body) | {"compliant": True})
    assert refused(company, f"{header}.{forged}.{signature}") is StatementFault.FORGED
    for cut in ("", signature[:-4], signature + "AAAA", "A" * len(signature)):
        assert refused(company, f"{header}.{body}.{cut}") is StatementFault.FORGED


@pytest.mark.parametrize(
    "change",
    [{"alg": "none"}, {"alg": "HS256"}, {"crit": ["b64"], "b64": False}, {"jwk": {}}, {"x5c": []}, {"typ": "at+jwt"}],
    ids=str,
)
def test_another_kind_of_signature_is_not_read(company: Company, pc: Identity, change: dict[str, object]) -> None:
    header, body, signature = sign_statement(pc, statement(pc, NOW)).split(".")
    changed = packed(unpacked(header) | change)
    assert refused(company, f"{changed}.{body}.{signature}") is StatementFault.MALFORMED
