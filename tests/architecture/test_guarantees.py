"""Each promise in `docs/guarantees.md` names tests, and those tests exist."""

import ast
import re

import pytest

from tests.helpers.sources import ROOT, nodes_of

TEXT = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "|--"))]
TEST_IDS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


def test_there_are_promises() -> None:
    assert len(ROWS) >= 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_promise_names_a_test(row: str) -> None:
    assert "`tests/" in row


@pytest.mark.parametrize("test_id", TEST_IDS)
def test_a_named_test_exists(test_id: str) -> None:
    file, _, name = test_id.partition("::")
    path = ROOT / file
    assert path.exists()
    if name:
        functions = {node.name for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions
