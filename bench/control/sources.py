"""Which sources a run depends on: a change of our law must not repeat the rivals' runs."""

import ast
import hashlib
from functools import cache
from pathlib import Path

import bandwidth
from bench.control.cells import ALONE, OURS, OURS_HIDDEN, OURS_LEARNED, RIVALS

ROOT = Path(__file__).parents[2]
EVERYBODYS = ("units.py", "signals.py")  # of the core: rates, and how large a ping is
SHOWS = ("figures.py", "policy.py")  # of the simulator: they show a run, and do not change it


def source_files(sender: str) -> list[Path]:
    """Return the files that decide what a run of ``sender`` measures, sorted."""
    simulator = ROOT / "bandwidth" / "simulator"
    ours = simulator / "ours.py"
    files = {path for path in simulator.rglob("*.py") if path.parent.name != "rivals" and path.name not in SHOWS} - {
        ours
    }
    files |= {ROOT / "bandwidth" / "core" / name for name in EVERYBODYS}
    files.add(Path(__file__).with_name("figures.py"))
    if sender in (OURS, OURS_HIDDEN, OURS_LEARNED):
        files |= {ours, *(ROOT / "bandwidth" / "core").glob("*.py")}
    elif sender != ALONE:
        files |= set((simulator / "rivals").glob("*.py"))
    return sorted(files)


@cache
def source_hash(sender: str) -> str:
    """Return what changes when a run of ``sender`` may come out differently; comments and docstrings do not count."""
    digest = hashlib.sha256()
    for path in source_files(sender):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(_meaning(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def check_imports() -> None:
    """Raise `ImportError` where the simulator that runs is not made of these sources, as a stale compiled one is."""
    package = Path(bandwidth.__file__).parent
    for sender in (ALONE, OURS, *RIVALS):
        for path in source_files(sender):
            if path.is_relative_to(ROOT / "bandwidth"):
                used = package / path.relative_to(ROOT / "bandwidth")
                if not used.exists() or used.read_bytes() != path.read_bytes():
                    raise ImportError(f"{used} is not the same as {path}. Compile again: make bench-compiled")


def _meaning(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_docstring(each)]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
