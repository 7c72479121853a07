"""`seed_server.automation.event_types`: every entry of the audit log is an event of the list."""

import ast
from collections.abc import Iterator

import pytest

from seed_server.automation.applying import APPLY, ENDED_EARLY
from seed_server.automation.event_types import (
    EVENT_TYPES,
    PING,
    event_type,
    is_subscription,
    known_operations,
    subscribed,
)
from seed_server.fleet.archives import ARCHIVE_MONTH, REMOVE_ARCHIVE
from seed_server.fleet.audit_log import DROP_PREPARED, NOT_CARRIED_OUT, PREPARE
from seed_server.fleet.content_operations import REMOVE_CONTENT
from seed_server.fleet.harm_entries import SITE_PAUSED
from seed_server.fleet.home_file_operations import NOT_WRITTEN
from seed_server.fleet.rollout import RolloutStep
from seed_server.fleet.rollout_faults import STUCK
from seed_server.reporting.intelligence_operations import IMPORT_INTELLIGENCE
from seed_server.store.audit_entry import AuditEntry
from tests.helpers.sources import files_of, tree_of

NAMED = {
    "PREPARE": PREPARE,
    "DROP_PREPARED": DROP_PREPARED,
    "NOT_CARRIED_OUT": NOT_CARRIED_OUT,
    "ARCHIVE_MONTH": ARCHIVE_MONTH,
    "REMOVE_ARCHIVE": REMOVE_ARCHIVE,
    "REMOVE_CONTENT": REMOVE_CONTENT,
    "STUCK": STUCK,
    "SITE_PAUSED": SITE_PAUSED,
    "APPLY": APPLY,
    "ENDED_EARLY": ENDED_EARLY,
    "NOT_WRITTEN": NOT_WRITTEN,
    "IMPORT_INTELLIGENCE": IMPORT_INTELLIGENCE,
}
MADE_OF_PARTS = {
    "operation_name": {PREPARE, DROP_PREPARED, "finish", "set profiles", "set templates"},
    "what": {"set roles", "set scope", "set password", "remove second factor", "disable account", "enable account"},
    "f'{verb} rollout'": {"pause rollout", "halt rollout", "abort rollout"},
    "f'rollout: {step.value}'": {f"rollout: {step.value}" for step in RolloutStep},
    "f'rollout: {RolloutStep.HALTED.value}'": {f"rollout: {RolloutStep.HALTED.value}"},
}
"""By the expression in the sources, all that it comes to."""
NO_EVENT = {NOT_CARRIED_OUT, NOT_WRITTEN, "confirm"}
"""What the first takes back was never told; the second says that what was told has failed on the disk; by the third,
somebody has shown a second factor once more: what they do with it is an event of its own."""


def operations_in_the_sources() -> Iterator[str]:
    for path in files_of("seed_server"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Deed":
                given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "operation")][0]
                if isinstance(given, ast.Constant):
                    yield str(given.value)
                elif isinstance(given, ast.Name) and given.id in NAMED:
                    yield NAMED[given.id]
                else:
                    yield from MADE_OF_PARTS[ast.unparse(given)]


def entry(operation: str, subject: str = "office@1") -> AuditEntry:
    return AuditEntry(
        number=7, at=1.0, actor="ada", known_by="password", request="r", operation=operation, subject=subject
    )


def test_every_entry_of_the_audit_log_is_an_event() -> None:
    found = set(operations_in_the_sources())
    assert len(found) > 50
    assert found - NO_EVENT == known_operations(), "a row for each operation in event_types.py, and none besides"


def test_every_type_is_of_the_list_and_comes_from_some_entry() -> None:
    kinds = {event_type(entry(operation)) for operation in known_operations()}
    assert kinds <= EVENT_TYPES.keys()
    assert EVENT_TYPES.keys() - kinds == set()
    assert all(says.endswith(".") for says in EVENT_TYPES.values())
    assert PING not in EVENT_TYPES


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        ("publish office@1", "patch.published"),
        ("withdraw office", "patch.withdrawn"),
        ("roll back office@1 at oslo", "patch.withdrawn"),
        ("renew the offline metadata", "signing.finished"),
    ],
)
def test_what_was_signed_elsewhere_is_what_it_is_for(purpose: str, kind: str) -> None:
    assert event_type(entry("finish", purpose)) == kind


def test_what_was_not_carried_out_is_no_event() -> None:
    assert event_type(entry(NOT_CARRIED_OUT, "3")) is None
    assert event_type(entry("something of a newer release")) is None


def test_a_first_word_stands_for_all_that_begin_with_it() -> None:
    assert subscribed(["rollout"], "rollout.halted")
    assert subscribed(["rollout.halted"], "rollout.halted")
    assert subscribed(["*"], "rollout.halted")
    assert not subscribed(["roll"], "rollout.halted")
    assert not subscribed(["rollout.halt"], "rollout.halted")
    assert not subscribed([], "rollout.halted")


@pytest.mark.parametrize(("prefix", "is_one"), [("rollout", True), ("*", True), ("patch.published", True),
                                                ("", False), ("rollouts", False), ("patch.", False)])  # fmt: skip
def test_what_can_be_subscribed_to(prefix: str, is_one: bool) -> None:
    assert is_subscription(prefix) is is_one
