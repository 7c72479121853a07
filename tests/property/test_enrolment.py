"""However often and in whatever order PCs ask: a token's certificates go to as many keys as it has uses."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.wire.enrolment import EnrolRequest, RenewRequest
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.store.database import Database
from seed_server.store.token_names import token_id_of
from seed_server.store.tokens import SPENT_TOKEN_KEPT_SECONDS

SECRET = bytes(16)
NOW, LIFETIME = 1_900_000_000.0, 600.0
KEYS = [new_key() for _ in range(3)]
REQUESTS = [certificate_request(key) for key in KEYS]

key_numbers = st.integers(0, len(KEYS) - 1)
steps = st.one_of(
    st.tuples(st.sampled_from(["enrol", "renew", "deny", "allow"]), key_numbers),
    st.tuples(st.just("wait"), st.sampled_from([1.0, LIFETIME, SPENT_TOKEN_KEPT_SECONDS])),
    st.tuples(st.just("revoke"), st.none()),
)


class Company:
    def __init__(self, directory: Path, *, approval: bool) -> None:
        (directory / "ca").mkdir()
        authority = CertificateAuthority.create(directory / "ca", "hq", NOW)
        self.database = Database.create(directory / "state.db")
        self.database.add_token(SECRET, 1, NOW + LIFETIME, NOW, approval=approval)
        self.decisions = EnrolmentDecisions("hq", 7690, authority, self.database, lambda: "{}")
        self.now = NOW
        self.enrolled_at: dict[int, float] = {}
        """When each key was given certificates for the first time."""

    def step(self, what: str, value: object) -> None:
        if what == "wait":
            self.now += float(str(value))
        elif what == "revoke":
            self.database.revoke_token(token_id_of(SECRET), self.now)
        elif what in ("deny", "allow"):
            self.database.set_denied(endpoint_id_of_key(KEYS[int(str(value))]), denied=what == "deny")
        else:
            self.ask(what, int(str(value)))

    def ask(self, what: str, key: int) -> None:
        try:
            if what == "enrol":
                self.decisions.enrol(EnrolRequest(SECRET.hex(), REQUESTS[key], "pc"), self.now)
                assert self.now < NOW + LIFETIME + SPENT_TOKEN_KEPT_SECONDS, "it is not answered for ever"
            else:
                self.decisions.renew(RenewRequest(REQUESTS[key]), self.now)
        except RequestRefusedError:
            return
        self.enrolled_at.setdefault(key, self.now)


@given(st.lists(steps, max_size=14), st.booleans())
@settings(max_examples=30)
def test_a_single_use_token_gives_certificates_to_the_first_key_and_never_to_another(
    plan: list[tuple[str, object]], approval: bool
) -> None:
    with TemporaryDirectory() as directory:
        company = Company(Path(directory), approval=approval)
        with company.database:
            for what, value in plan:
                company.step(what, value)
            assert len(company.enrolled_at) <= 1
            assert len(company.database.tokens()[0].enrolled) <= 1
            rows = company.database.endpoints()
            assert len(rows) <= 1
            if company.enrolled_at and not approval:
                assert [row.enrolled_at for row in rows] == list(company.enrolled_at.values())
