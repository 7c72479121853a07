"""An entry of the audit log leads to the page of what something was done to, and of whoever did it."""

import pytest

from seed_server.store.audit_entry import AuditEntry
from seed_server.web.pages.audit_links import page_of_entry, page_of_person, same_request


def _entry(
    operation: str, subject: str, *, actor: str = "ada", known_by: str = "password", **details: str
) -> AuditEntry:
    return AuditEntry(
        number=1, at=1.0, actor=actor, known_by=known_by, request="r1", operation=operation, subject=subject,
        details=details,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "subject", "details", "page"),
    [
        ("start rollout", "office@1", {"rollout": "7"}, "/rollouts/7"),
        ("approve rollout", "7", {}, "/rollouts/7"),
        ("rollout: ring opened", "7", {}, "/rollouts/7"),
        ("publish", "office@1", {}, "/patches/office@1"),
        ("withdraw", "office", {}, ""),
        ("deny", "pc-1", {}, "/pcs/pc-1"),
        ("forget", "pc-1", {}, ""),
        ("set roles", "bob", {}, "/people/bob"),
        ("remove account", "bob", {}, ""),
        ("make API token", "5f0c6a1b92d4", {"owner": "bob"}, "/people/bob"),
        ("make API token", "5f0c6a1b92d4", {}, ""),
        ("add webhook", "chat", {}, "/webhooks/chat"),
        ("remove webhook", "chat", {}, ""),
        ("add exception", "every patch", {}, "/exceptions"),
        ("new audit key", "audit", {}, "/audit-log"),
        ("something new", "x", {}, ""),
        ("publish", '"><script>@1', {}, "/patches/%22%3E%3Cscript%3E@1"),
    ],
)
def test_where_it_leads(operation: str, subject: str, details: dict[str, str], page: str) -> None:
    assert page_of_entry(_entry(operation, subject, **details)) == page


@pytest.mark.parametrize(
    ("actor", "known_by", "page"),
    [
        ("ada", "password", "/people/ada"),
        ("ada/5f0c6a1b92d4", "token", "/people/ada"),
        ("nora", "oidc", "/people/nora"),
        ("local:root", "local user", ""),
        ("seed-server", "engine", ""),
        ("engine", "engine", ""),
    ],
)
def test_who_did_it(actor: str, known_by: str, page: str) -> None:
    assert page_of_person(_entry("deny", "pc", actor=actor, known_by=known_by)) == page


def test_what_came_by_the_same_request() -> None:
    assert same_request(_entry("deny", "pc")) == "/audit?request=r1"
