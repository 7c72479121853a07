"""Each promise in `docs/guarantees.md`, and each finding in `docs/security-review.md`, names tests that exist."""

import ast
import functools
import re
from pathlib import Path

from tests.helpers.sources import ROOT, nodes_of

TEXT = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "|--"))]
REVIEW = (ROOT / "docs" / "security-review.md").read_text()
TEST_IDS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT + REVIEW)))
FINDINGS = {
    *(f"H{n}" for n in range(1, 6)), *(f"M{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 15)), *(f"F{n}" for n in range(1, 16)),
}  # fmt: skip


def test_every_finding_of_the_review_has_its_row() -> None:
    rows = [line.split("|")[1] for line in REVIEW.splitlines() if line.startswith("| ")]
    named = {word.strip(",") for row in rows for word in row.split()}
    assert named >= FINDINGS


def test_there_are_promises() -> None:
    assert len(ROWS) >= 10
    assert len(TEST_IDS) >= 10


def test_a_promise_names_a_test() -> None:
    assert [row.split("|")[1].strip() for row in ROWS if "`tests/" not in row] == []


def test_a_named_test_exists() -> None:
    assert [test_id for test_id in TEST_IDS if not exists(test_id)] == []


def exists(test_id: str) -> bool:
    """Whether the file is there, and defines what is named."""
    file, _, name = test_id.partition("::")
    path = ROOT / file
    return path.exists() and (not name or name in defined_in(path))


@functools.cache
def defined_in(path: Path) -> frozenset[str]:
    """Return the names of a file's functions and classes, wherever they stand in it."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in nodes_of(path) if isinstance(node, kinds))
