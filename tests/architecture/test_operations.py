"""State changes through operations and decisions alone: what the contract `state-behind-operations` cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

from seed_server.fleet.roles import PERMISSIONS
from tests.helpers.sources import ROOT, nodes_of, tree_of

SERVER = ROOT / "seed_server"
WRITERS = {
    "store/audit_rows.py": ("_writing",),
    "store/diagnoses.py": ("_writing", "_forget_some"),
    "store/endpoints.py": ("_writing",),
    "store/intelligence_rows.py": ("_writing",),
    "store/patches.py": ("_writing",),
    "store/people.py": ("_writing",),
    "store/reports.py": ("_writing",),
    "store/session_rows.py": ("_writing",),
    "store/site_records.py": ("_writing",),
    "store/tokens.py": ("_writing",),
    "store/webhook_rows.py": ("_writing",),
    "store/content_store.py": ("_storage_errors",),
    "signing/repository.py": ("writing", "change_documents"),
}
"""The files with methods that write, each with what such a method calls, one of these."""
OPENED = {"authority", "content", "database", "repository"}
"""The names under which a `Context` and other parts hold what writes."""


ENTRY = {"audited", "recorded", "announced", "new_audit_key"}
"""What a `Context` has for the entry of a change in the audit log."""


def attributes_of(*paths: str) -> Iterator[tuple[str, ast.Attribute]]:
    for pattern in paths:
        for path in sorted(SERVER.glob(pattern)):
            for node in nodes_of(path):
                if isinstance(node, ast.Attribute):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.attr}", node


def writing_methods() -> set[str]:
    found = set()
    for name, marks in WRITERS.items():
        for function in nodes_of(SERVER / name):
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                names = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
                names |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
                found |= {function.name} if names & set(marks) else set()
    return found


def test_writing_methods_are_found() -> None:
    assert {
        "add_patch",
        "add_token",
        "save_reports",
        "save_site_limits",
        "set_denied",
        "forget_diagnoses",
        "forget_other_diagnoses",
        "publish_patch",
        "change_document",
        "keep",
    } <= writing_methods()
    assert not {"endpoints", "payloads", "manifests", "profiles", "read_piece"} & writing_methods()


OWN_RECORD = "seed_server/web/api/idempotency.py"
"""Keeps which requests came before: that is the API's own, and no state of the fleet."""


def test_command_line_and_web_port_hold_nothing_that_writes() -> None:
    places = attributes_of("commands/**/*.py", "web/*.py", "web/api/*.py")
    held = [place for place, node in places if node.attr in OPENED]
    assert [place for place in held if not place.startswith(OWN_RECORD)] == []


def test_command_line_web_port_and_queries_write_nothing() -> None:
    written = writing_methods()
    places = attributes_of("commands/**/*.py", "web/*.py", "web/api/*.py", "fleet/queries.py", "reporting/*_queries.py")
    # an operation may have the name of the method that it calls
    assert [
        place
        for place, node in places
        if node.attr in written and not (isinstance(node.value, ast.Name) and node.value.id.endswith("operations"))
    ] == []


OPERATED = sorted(path for room in ("automation", "fleet", "reporting") for path in (SERVER / room).glob("*.py"))
"""The files that may hold operations."""
OPERATORS = {"operation", "_operation"}
ASKERS = {"require", "_require"}


def operations_of(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the public functions that act for somebody: a context and an actor come first."""
    for function in tree_of(path).body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            kinds = [ast.unparse(one.annotation) for one in function.args.args[:2] if one.annotation]
            if kinds == ["Context", "Actor"] and path.name != "operation.py":
                yield f"{path.relative_to(ROOT)}:{function.lineno}: {function.name}", function


def declared(function: ast.FunctionDef) -> ast.Call | None:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id in OPERATORS:
            return decorator
    return None


def test_every_operation_declares_the_right_that_it_needs() -> None:
    found = dict(pair for path in OPERATED for pair in operations_of(path))
    assert len(found) >= 20
    without = []
    for place, function in found.items():
        call = declared(function)
        right = call.args[0] if call is not None and call.args else None
        if not isinstance(right, ast.Constant) or right.value not in PERMISSIONS:
            without.append(place)
    assert without == []


def test_an_operation_whose_reach_follows_from_what_it_is_given_asks_for_it() -> None:
    silent = []
    for path in OPERATED:
        for place, function in operations_of(path):
            call = declared(function)
            later = call is not None and any(
                one.arg == "reach" and isinstance(one.value, ast.Constant) and one.value.value is None
                for one in call.keywords
            )
            called = {
                node.func.id
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if later and not called & ASKERS:
                silent.append(place)
    assert silent == []


def test_a_command_acts_for_whom_it_was_called() -> None:
    """Not for the local user, where it was called with an account."""
    used = [
        place
        for place in SERVER.glob("commands/**/*.py")
        if place.name != "options.py"
        and any(
            isinstance(node, ast.alias | ast.Name)
            and "local_user" in (getattr(node, "name", ""), getattr(node, "id", ""))
            for node in nodes_of(place)
        )
    ]
    assert used == []


def used_by(function: ast.FunctionDef, path: Path) -> set[str]:
    """Return the names and attributes that a function and the helpers beside it use."""
    beside = {node.name: node for node in tree_of(path).body if isinstance(node, ast.FunctionDef)}
    used: set[str] = set()
    waiting = [function.name]
    while waiting:
        nodes = list(ast.walk(beside[waiting.pop()]))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        waiting += (names - used) & beside.keys()
        used |= names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return used


def test_every_operation_writes_an_entry_of_the_audit_log() -> None:
    assert [
        place
        for path in OPERATED
        for place, function in operations_of(path)
        if declared(function) and not used_by(function, path) & ENTRY
    ] == []
