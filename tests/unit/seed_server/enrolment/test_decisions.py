"""`seed_server.enrolment.decisions`: what is refused, and of which kind; the web port's tests show the rest."""

from pathlib import Path

import pytest

from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.errors import FaultKind
from p2pdist.shared.wire.enrolment import EnrolRequest, RenewRequest
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.store.database import Database

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
