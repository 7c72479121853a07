"""State changes through operations and decisions alone: what the contract `state-behind-operations` cannot see."""

import ast
from collections.abc import Iterator

from tests.helpers.sources import ROOT, nodes_of

SERVER = ROOT / "seed_server"
WRITERS = {
    "store/diagnoses.py": "_writing",
    "store/endpoints.py": "_writing",
    "store/patches.py": "_writing",
    "store/reports.py": "_writing",
    "store/site_records.py": "_writing",
    "store/tokens.py": "_writing",
    "store/content_store.py": "_storage_errors",
    "signing/repository.py": "writing",
}
"""The files with methods that write, each with what such a method calls."""
OPENED = {"authority", "content", "database", "repository"}
"""The names under which a `Context` and other parts hold what writes."""


def attributes_of(*paths: str) -> Iterator[tuple[str, ast.Attribute]]:
    for pattern in paths:
        for path in sorted(SERVER.glob(pattern)):
            for node in nodes_of(path):
                if isinstance(node, ast.Attribute):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.attr}", node


def writing_methods() -> set[str]:
    found = set()
    for name, mark in WRITERS.items():
        for function in nodes_of(SERVER / name):
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                names = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
                names |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
                found |= {function.name} if mark in names else set()
    return found


def test_writing_methods_are_found() -> None:
    assert {
        "add_patch",
        "add_token",
        "save_reports",
        "save_site_limits",
        "set_denied",
        "forget_diagnoses",
        "publish_patch",
        "change_document",
        "keep",
    } <= writing_methods()
    assert not {"endpoints", "payloads", "manifests", "profiles", "read_piece"} & writing_methods()


def test_command_line_and_web_port_hold_nothing_that_writes() -> None:
    assert [place for place, node in attributes_of("commands/**/*.py", "web/*.py") if node.attr in OPENED] == []


def test_command_line_web_port_and_queries_write_nothing() -> None:
    written = writing_methods()
    places = attributes_of("commands/**/*.py", "web/*.py", "fleet/queries.py")
    # an operation may have the name of the method that it calls
    assert [
        place
        for place, node in places
        if node.attr in written and not (isinstance(node.value, ast.Name) and node.value.id == "operations")
    ] == []
