"""What import-linter's contracts cannot say about the sources; the arrows themselves are in pyproject.toml."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("p2pdist", "seed_server", "bandwidth")
MAX_LINES = 400  # "files near 300 lines": beyond this, a file has two jobs
SHARED_VOCABULARY = {"p2pdist.shared"}
SOURCES = [path for package in (*PACKAGES, "bench") for path in sorted((ROOT / package).rglob("*.py"))]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_job(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_the_seed_server_takes_only_the_shared_vocabulary_from_the_daemon() -> None:
    taken = {
        (str(path.relative_to(ROOT)), name)
        for path in sorted((ROOT / "seed_server").rglob("*.py"))
        for name in imports_of(path)
        if within(name, {"p2pdist"}) and not within(name, SHARED_VOCABULARY) and name != "p2pdist.__version__"
    }
    assert taken == set()


PROCESS_STARTERS = {
    *("open_process", "run_process", "create_subprocess_exec", "create_subprocess_shell"),
    *("system", "popen", "startfile", "fork", "forkpty", "posix_spawn", "posix_spawnp"),
    *(f"{kind}{form}" for kind in ("exec", "spawn") for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}


def test_processes_are_started_in_one_module_of_the_endpoint_and_for_the_installer_alone() -> None:
    """What import-linter cannot see: trio and os start processes as well."""
    starters, users = set(), set()
    for path in sorted((ROOT / "p2pdist").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in PROCESS_STARTERS and is_module(node.value):
                starters.add(name)
        if any(within(taken, {"p2pdist.install.processes"}) for taken in imports_of(path)):
            users.add(name)
    assert starters == {"p2pdist/install/processes.py"}
    assert users == {"p2pdist/install/installer.py"}


def is_module(node: ast.expr) -> bool:
    """Whether it is os, trio, or a module in one of them such as trio.lowlevel."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in {"os", "trio", "asyncio"}
