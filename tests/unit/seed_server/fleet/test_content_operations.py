"""`seed_server.fleet.content_operations`: who may, and what the audit log says of it."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.content_operations import REMOVE_CONTENT, clean_content, read_content, remove_content
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.audit_entry import AuditEntry, decode_entry
from tests.helpers.rollout_company import ADA, Company


def entries(company: Company) -> list[AuditEntry]:
    found = [company.database.audit_entry(number) for number in range(company.database.audit_size())]
    decoded = [decode_entry(data) for data in found if data is not None]
    return [entry for entry in decoded if entry.operation == REMOVE_CONTENT]


def test_what_goes_has_an_entry_and_a_look_has_none(company: Company) -> None:
    assert clean_content(company.context, ADA, at_once=True).removals == ()
    operations.withdraw(company.context, ADA, "office", "crashes", OfflineKeys(company.context.home.offline_keys, None))
    assert len(read_content(company.context, at_once=True).removals) == 1
    assert read_content(company.context).removals == ()
    assert entries(company) == []
    (gone,) = clean_content(company.context, ADA, at_once=True).removals
    (entry,) = entries(company)
    assert (entry.actor, entry.subject) == (ADA.who, "1 files")
    assert entry.details["patches"] == "office@1"
    assert entry.details["sha256"] == gone.payload.sha256
    assert entry.details["because"] == "asked"
    assert int(entry.details["bytes"]) == gone.payload.bytes


def test_the_running_server_is_named_and_removes_by_the_settings(company: Company) -> None:
    operations.withdraw(company.context, ADA, "office", "crashes", OfflineKeys(company.context.home.offline_keys, None))
    for days, gone in ((0, 0), (29, 0), (1, 1)):
        company.clock.wall += days * 86_400
        plan = remove_content(company.context, company.repository, company.database, Actor.engine())
        assert len(plan.removals) == gone
    (entry,) = entries(company)
    assert entry.actor == Actor.engine().who
    assert entry.details["because"] == "retention"


def test_it_needs_the_right_to_publish(company: Company) -> None:
    nobody = Actor.local_user("ada")
    from dataclasses import replace

    from seed_server.fleet.roles import NO_RIGHTS

    with pytest.raises(UserError) as caught:
        clean_content(company.context, replace(nobody, rights=NO_RIGHTS))
    assert caught.value.kind is FaultKind.REFUSED
