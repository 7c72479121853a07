"""What holds for the tests themselves."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.helpers.sources import ROOT, files_of, tree_of

CONSTANT = re.compile(r"[A-Z][A-Z0-9_]+\Z")

# a test hands in another limit, time or path; it does not put one into a module. What is here has a reason
PATCHED = {
    ("tests/property/test_controller.py", "TRANSITIONS"): "the table itself, watched: each step that is taken is noted",
    ("tests/unit/bench/lab/test_namespaces.py", "SOURCE"): "one C program is built, and nobody chooses another",
    ("tests/unit/p2pdist/install/test_installer.py", "DESCRIPTORS_HAVE_NAMES"): "what the system has is no choice",
    ("tests/unit/p2pdist/install/test_installer.py", "RPM"): "nor where it has rpm, or whether it has one",
    ("tests/unit/seed_server/fleet/test_taking_back.py", "MAX_STAGED_BYTES"): "what PCs take is no choice either",
}


def patched_in(tree: ast.AST) -> Iterator[str]:
    """Yield the constants that a test sets, by `setattr(module, "NAME", …)`, its one-text form, or an assignment."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called == "setattr":
                texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
                names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
        elif isinstance(node, ast.Assign):
            names = [target.attr for target in node.targets if isinstance(target, ast.Attribute)]
        yield from filter(CONSTANT.match, names)


def test_no_test_patches_a_constant_where_a_parameter_would_do() -> None:
    found = {(str(path.relative_to(ROOT)), name) for path in files_of("tests") for name in patched_in(tree_of(path))}
    assert found == set(PATCHED)


@pytest.mark.parametrize(
    "text", ['patch.setattr(module, "LIMIT", 1)', 'monkeypatch.setattr("a.b.LIMIT", 1)', "a.b.LIMIT = 1"]
)
def test_every_way_to_patch_a_constant_is_seen(text: str) -> None:
    assert list(patched_in(ast.parse(text))) == ["LIMIT"]
