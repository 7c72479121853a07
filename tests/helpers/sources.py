"""The project's own sources, parsed once for all tests that read them."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("p2pdist", "seed_server", "bandwidth")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file. Not to be changed: every test gets the same one."""
    return ast.parse(path.read_text())


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file's syntax tree, as `ast.walk` does."""
    return tuple(ast.walk(tree_of(path)))


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Return what a file imports, by full name: modules, and names out of modules."""
    found: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@functools.cache
def files_of(package: str) -> tuple[Path, ...]:
    """Return the source files of a package, sorted."""
    return tuple(sorted((ROOT / package).rglob("*.py")))


def module_of(path: Path) -> str:
    """Return the dotted name of a source file's module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
