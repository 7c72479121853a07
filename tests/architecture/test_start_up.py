"""Commands start quickly and stay small: they load none of the libraries that only daemon, server or pictures need."""

import ast
import subprocess
import sys

import pytest

from tests.helpers.sources import ROOT

HEAVY = (
    "libtorrent", "tuf", "zeroconf", "httpx", "fastapi", "h11", "resvg_py", "cryptography", "sqlalchemy", "argon2",
    "pyotp", "segno",
)  # fmt: skip


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("p2pdist.commands.main", ()),
        ("seed_server.commands.main", ("tuf", "cryptography")),  # its operations open the repository
        ("bandwidth.commands.main", ()),
    ],
)
def test_a_command_line_loads_what_it_needs(module: str, allowed: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(loaded) <= set(allowed)


def test_a_running_daemon_loads_no_module_of_ours_late() -> None:
    """Between its unpacking and the restart, an upgrade has put other files there: the two releases would be mixed."""
    late = {
        (path.relative_to(ROOT).as_posix(), function.name)
        for path in (ROOT / "p2pdist").rglob("*.py")
        if "commands" not in path.parts
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("p2pdist", "bandwidth"))
    }
    assert late == {("p2pdist/settings.py", "load_profile")}, "that one is called at the start alone"
