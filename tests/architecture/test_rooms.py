"""The rooms: `docs/architecture.md`, the contracts of `pyproject.toml` and the sources say the same."""

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import PACKAGES, ROOT, files_of, imports_of, module_of, nodes_of, tree_of

DOC = (ROOT / "docs" / "architecture.md").read_text()
CONTRACTS: dict[str, Any] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
MOST_ROOMS = {"p2pdist": 17, "seed_server": 21, "bandwidth": 6}
MOST_FLOORS = 9
LARGEST_SHARE = {"p2pdist": 0.25, "seed_server": 0.25, "bandwidth": 0.5}
"""The share of a package's lines that one room may have. The simulator with its rivals is about half of `bandwidth`."""
PURE = re.compile(r"^Pure\.|\sPure\.(?=\n\n|\s*$)")


def room_of(module: str) -> str:
    """Return the room, a folder or a file at the package's top; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def arrows_of(package: str) -> dict[str, set[str]]:
    rooms = {room_of(module_of(path)) for path in files_of(package)} - {""}
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    for path in files_of(package):
        room = room_of(module_of(path))
        taken = {room_of(name) for name in imports_of(path) if name.split(".")[0] == package}
        if room:
            arrows[room] |= taken & rooms - {room}
    return arrows


@pytest.mark.parametrize("package", PACKAGES)
def test_the_arrows_are_named_by_the_contract_as_they_are_drawn_in_the_page(package: str) -> None:
    contract = CONTRACTS[f"{package.replace('_', '-')}-rooms"]
    chain = " → ".join(layer.replace(" | ", ", ") for layer in contract["layers"])
    assert contract["name"] == f"{package}: {chain}"
    drawn = dict(re.findall(r"^(\w+) {2,}(\w.* → .*)$", DOC, re.MULTILINE))
    assert drawn[package] == chain


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_says_what_it_is_for_and_the_page_says_the_same(package: str) -> None:
    for room in arrows_of(package):
        folder = ROOT / package / room
        path, name = (
            (folder / "__init__.py", f"{room}/") if folder.is_dir() else (folder.with_suffix(".py"), f"{room}.py")
        )
        docstring = ast.get_docstring(tree_of(path))
        assert docstring, f"{package}/{name}"
        assert f"| `{package}/{name}` | {docstring.splitlines()[0]} |" in DOC


@pytest.mark.parametrize("package", PACKAGES)
def test_the_house_is_low_and_no_room_is_half_of_it(package: str) -> None:
    arrows = arrows_of(package)
    floors: dict[str, int] = {}
    for room in TopologicalSorter(arrows).static_order():  # raises `CycleError`
        floors[room] = 1 + max((floors[below] for below in arrows[room]), default=0)
    assert len(arrows) <= MOST_ROOMS[package]
    assert max(floors.values()) <= MOST_FLOORS
    lines = dict.fromkeys(arrows, 0)
    for path in files_of(package):
        if room := room_of(module_of(path)):
            lines[room] += len(path.read_text().splitlines())
    largest = max(lines, key=lambda room: lines[room])
    assert lines[largest] <= LARGEST_SHARE[package] * sum(lines.values()), largest


def test_files_that_say_they_are_pure_are_those_that_the_contract_holds_to_it() -> None:
    says = {
        module_of(path)
        for package in PACKAGES
        for path in files_of(package)
        if PURE.search(ast.get_docstring(tree_of(path)) or "")
    }
    assert says == set(CONTRACTS["pure-files"]["source_modules"])


def test_pure_files_do_what_no_import_shows_neither() -> None:
    """An import contract sees neither a clock behind a type nor what is built in."""
    found = []
    for module in CONTRACTS["pure-files"]["source_modules"]:
        path = ROOT / Path(*module.split(".")).with_suffix(".py")
        for node in nodes_of(path):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                found.append(f"{module}:{node.lineno}: async")
            elif isinstance(called, ast.Name) and called.id in {"open", "print", "input"}:
                found.append(f"{module}:{called.lineno}: {called.id}")
            elif (
                isinstance(called, ast.Attribute)
                and called.attr in {"now", "today", "utcnow"}
                and (isinstance(called.value, ast.Name) and called.value.id in {"datetime", "date"})
            ):
                found.append(f"{module}:{called.lineno}: {called.attr}")
    assert found == []
