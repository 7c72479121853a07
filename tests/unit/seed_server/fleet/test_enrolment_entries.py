"""`seed_server.fleet.enrolment_entries`: a PC's enrolment is in the audit log, once, in its own transaction."""

import sqlite3

import pytest

from p2pdist.identity.store import certificate_request, new_key
from p2pdist.shared.wire.enrolment import EnrolRequest
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.fleet.context import Context
from seed_server.fleet.enrolment_entries import recorded_enrolments
from seed_server.store.audit_entry import AuditEntry, decode_entry
from seed_server.store.token_names import token_id_of
from tests.unit.seed_server.fleet.test_operations import context

__all__ = ["context"]

SECRET, ASKING = bytes(range(16)), b"p" * 16


def entries(of: Context) -> list[AuditEntry]:
    with of.database() as database:
        return [decode_entry(data) for _, data in database.audit_entries(0, 99)]


def test_each_enrolment_has_its_entry_and_what_changes_nothing_has_none(context: Context) -> None:
    now, csr = context.clock.now(), certificate_request(new_key())
    with context.database() as database:
        for secret, approval in ((SECRET, False), (ASKING, True)):
            database.add_token(secret, 1, now + 60, now, ("kiosk",), approval=approval)
        decisions = EnrolmentDecisions(
            "hq", 7690, context.authority(), database, lambda: "{}", recorded_enrolments(context)
        )
        asked = EnrolRequest(secret=SECRET.hex(), csr=csr, hostname="pc-1")
        endpoint = decisions.enrol(asked, now, address="192.0.2.7").endpoint_id
        assert decisions.enrol(asked, now, address="192.0.2.7").endpoint_id == endpoint, "the reply was lost"
        with pytest.raises(RequestRefusedError, match="used up"):
            decisions.enrol(EnrolRequest(SECRET.hex(), certificate_request(new_key()), "pc-2"), now)
        with pytest.raises(RequestRefusedError, match="waits"):
            decisions.enrol(EnrolRequest(ASKING.hex(), certificate_request(new_key()), "pc-3"), now)
    first, waits = entries(context)
    assert (first.operation, first.actor, first.subject, first.known_by) == (
        "enrol", endpoint, endpoint, "enrolment token",
    )  # fmt: skip
    assert (first.address, first.before, first.role) == ("192.0.2.7", b"", "")
    assert first.after
    assert first.details == {
        "hostname": "pc-1", "token": token_id_of(SECRET), "tags": "kiosk", "waits to be allowed": "no",
    }  # fmt: skip
    assert (waits.details["hostname"], waits.details["waits to be allowed"]) == ("pc-3", "yes")
    assert first.request != waits.request


def test_what_cannot_be_written_down_enrols_nobody(context: Context) -> None:
    now = context.clock.now()
    with context.database() as database:
        database.add_token(SECRET, 1, now + 60, now)
        known = database.endpoint_names()
        decisions = EnrolmentDecisions(
            "hq", 7690, context.authority(), database, lambda: "{}", recorded_enrolments(context)
        )
        raw = sqlite3.connect(context.home.database)
        raw.execute("CREATE TRIGGER full BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'full'); END")
        raw.commit()
        raw.close()
        with pytest.raises(Exception, match=r".") as caught:
            decisions.enrol(EnrolRequest(SECRET.hex(), certificate_request(new_key()), "pc-1"), now)
        assert not isinstance(caught.value, RequestRefusedError)
        assert database.endpoint_names() == known
        (token,) = database.tokens()
        assert token.uses_left == 1
    assert entries(context) == []
