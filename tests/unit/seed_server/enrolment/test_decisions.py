"""`seed_server.enrolment.decisions`: what is refused, and of which kind; the web port's tests show the rest."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.enrolment import EnrolRequest, RenewRequest
from seed_server.enrolment.certificate_authority import ENDPOINT_LIFETIME_SECONDS, CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.store.database import Database
from seed_server.store.token_names import token_id_of

NOW = 1_900_000_000.0
SECRET = bytes(range(16))


@pytest.fixture
def decisions(tmp_path: Path):
    (tmp_path / "ca").mkdir()
    authority = CertificateAuthority.create(tmp_path / "ca", "hq", NOW)
    with Database.create(tmp_path / "state.db") as database:
        database.add_token(SECRET, 1, NOW + 60, NOW, ("kiosk",))
        yield EnrolmentDecisions("hq", 7690, authority, database, lambda: "{}")


def asked(secret: str = SECRET.hex(), csr: str | None = None) -> EnrolRequest:
    return EnrolRequest(secret=secret, csr=certificate_request(new_key()) if csr is None else csr, hostname="pc-1")


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (asked(csr="nonsense"), FaultKind.BAD_INPUT, "not acceptable"),
        (asked(secret="x" * 32), FaultKind.BAD_INPUT, "not hexadecimal"),
        (asked(secret="00" * 16), FaultKind.REFUSED, "not known here"),
    ],
)
def test_a_refusal_has_a_kind_and_spends_nothing(
    decisions: EnrolmentDecisions, request_: EnrolRequest, kind: FaultKind, words: str
) -> None:
    with pytest.raises(RequestRefusedError, match=words) as caught:
        decisions.enrol(request_, NOW)
    assert caught.value.kind is kind
    assert decisions.database.endpoints() == []
    assert decisions.enrol(asked(), NOW).tags == ("kiosk",), "no use of the token was spent"


def test_a_token_that_is_spent_or_over_is_refused_in_words(decisions: EnrolmentDecisions) -> None:
    for now, words in ((NOW + 60, "expired"), (NOW, ""), (NOW, "used up")):
        if words:
            with pytest.raises(RequestRefusedError, match=words):
                decisions.enrol(asked(), now)
        else:
            decisions.enrol(asked(), now)


def test_certificates_last_as_long_as_is_said_when_they_are_issued(decisions: EnrolmentDecisions) -> None:
    csr, hour = certificate_request(new_key()), 3_600
    unsure = replace(decisions, lifetime_seconds=lambda: hour)
    enrolled = unsure.enrol(asked(csr=csr), NOW).certificates
    renewed = unsure.renew(RenewRequest(csr=csr), NOW)
    sure = decisions.renew(RenewRequest(csr=csr), NOW)
    ends = [
        x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp() - int(NOW)
        for one in (enrolled, renewed, sure)
        for pem in (one.control_certificate, one.swarm_certificate)
    ]
    assert ends == [hour] * 4 + [ENDPOINT_LIFETIME_SECONDS] * 2


def test_a_denied_key_gets_nothing(decisions: EnrolmentDecisions) -> None:
    key = new_key()
    csr = certificate_request(key)
    decisions.enrol(asked(csr=csr), NOW)
    assert decisions.renew(RenewRequest(csr=csr), NOW).control_certificate
    decisions.database.set_denied(endpoint_id_of_key(key), True)
    with pytest.raises(RequestRefusedError, match="denied") as renewing:
        decisions.renew(RenewRequest(csr=csr), NOW)
    with pytest.raises(RequestRefusedError, match="denied") as enrolling:
        decisions.enrol(asked(csr=csr), NOW)
    assert (renewing.value.kind, enrolling.value.kind) == (FaultKind.REFUSED, FaultKind.REFUSED)


def test_the_token_that_enrolled_a_pc_is_recorded_and_costs_it_one_use(decisions: EnrolmentDecisions) -> None:
    csr = certificate_request(new_key())
    replies = [decisions.enrol(asked(csr=csr), now) for now in (NOW, NOW + 1, NOW + 600)]
    assert {reply.endpoint_id for reply in replies} == set(decisions.database.tokens()[0].enrolled)
    assert decisions.database.tokens()[0].uses_left == 0
    assert [row.enrolled_at for row in decisions.database.endpoints()] == [NOW], "it is enrolled since the first time"
    with pytest.raises(RequestRefusedError, match="used up"):
        decisions.enrol(asked(), NOW)


def test_a_revoked_token_enrols_nobody_not_even_whom_it_has_enrolled(decisions: EnrolmentDecisions) -> None:
    csr = certificate_request(new_key())
    decisions.enrol(asked(csr=csr), NOW)
    decisions.database.revoke_token(token_id_of(SECRET), NOW)
    for request in (asked(), asked(csr=csr)):
        with pytest.raises(RequestRefusedError, match="revoked"):
            decisions.enrol(request, NOW)


def test_a_token_that_asks_for_approval_gives_nothing_until_an_operator_allows_the_pc(
    decisions: EnrolmentDecisions,
) -> None:
    secret = b"a" * 16
    decisions.database.add_token(secret, 1, NOW + 60, NOW, ("kiosk",), approval=True)
    key = new_key()
    endpoint, csr = endpoint_id_of_key(key), certificate_request(key)
    for _ in range(2):
        with pytest.raises(RequestRefusedError, match=f"seed-server allow {endpoint}"):
            decisions.enrol(asked(secret.hex(), csr), NOW)
    with pytest.raises(RequestRefusedError, match="waits for the operator"):
        decisions.renew(RenewRequest(csr=csr), NOW)
    assert [(row.denied, row.pending) for row in decisions.database.endpoints()] == [(True, True)]
    decisions.database.set_denied(endpoint, denied=False)
    assert decisions.enrol(asked(secret.hex(), csr), NOW + 600).tags == ("kiosk",), "though it has expired by now"
    with pytest.raises(RequestRefusedError, match="used up"):
        decisions.enrol(asked(secret.hex()), NOW)


def test_a_pc_that_is_allowed_already_is_not_asked_about_again(decisions: EnrolmentDecisions) -> None:
    csr = certificate_request(new_key())
    decisions.enrol(asked(csr=csr), NOW)
    decisions.database.add_token(b"a" * 16, 1, NOW + 60, NOW, approval=True)
    assert decisions.enrol(asked((b"a" * 16).hex(), csr), NOW).tags == ()


def test_a_failure_while_it_is_recorded_costs_no_use(
    decisions: EnrolmentDecisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise UserError("the disk is full", FaultKind.STORAGE)

    with monkeypatch.context() as broken:
        broken.setattr(decisions.database, "add_enrolment", full)
        with pytest.raises(UserError, match="full"):
            decisions.enrol(asked(), NOW)
    assert decisions.database.endpoints() == []
    assert decisions.enrol(asked(), NOW).tags == ("kiosk",)


def test_the_name_of_a_denied_pc_is_noticed_in_the_log(decisions: EnrolmentDecisions) -> None:
    decisions.database.add_endpoint("z" * 26, "PC-1", NOW)
    decisions.database.set_denied("z" * 26, denied=True)
    with capture_logs() as logged:
        decisions.enrol(asked(), NOW)
    (line,) = [entry for entry in logged if entry["event"] == "a PC enrols with the name of a denied one"]
    assert line["denied"] == "z" * 26
