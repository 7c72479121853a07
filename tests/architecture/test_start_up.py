"""Commands start quickly and stay small: they load none of the libraries that only daemon, server or pictures need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.people import new_home
from tests.helpers.sources import ROOT

HEAVY = (
    "libtorrent", "tuf", "zeroconf", "httpx", "fastapi", "h11", "resvg_py", "cryptography", "sqlalchemy", "argon2",
    "pyotp", "segno", "structlog", "trio", "asyncio", "alembic", "rich", "pygments",
)  # fmt: skip
RARE = (*HEAVY, "cryptography.x509", "sqlalchemy.dialects.postgresql")
PROGRAMS = {
    "p2pdist": "p2pdist.commands.main",
    "seed-server": "seed_server.commands.main",
    "bandwidth": "bandwidth.commands.main",
}
LOADED = """
import sys
from {module} import main
sys.argv = ["program", *{arguments!r}]
try:
    main()
except SystemExit:
    pass
print(*[name for name in {rare!r} if sys.modules.get(name)], file=sys.stderr)
"""


def loaded_by(program: str, *arguments: str) -> set[str]:
    code = LOADED.format(module=PROGRAMS[program], arguments=arguments, rare=RARE)
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_help_text_needs_none_of_them(program: str) -> None:
    assert loaded_by(program, "--help") == ({"rich"} if program == "bandwidth" else set())


def test_the_state_of_a_fleet_needs_its_database_and_what_is_signed(tmp_path: Path) -> None:
    loaded = loaded_by("seed-server", "status", "--home", str(new_home(tmp_path).root))
    assert loaded <= {"tuf", "cryptography", "sqlalchemy", "asyncio", "rich"}


def test_the_state_of_a_pc_needs_what_asks_its_daemon(tmp_path: Path) -> None:
    assert loaded_by("p2pdist", "status", "--home", str(tmp_path)) <= {"trio", "rich"}


def test_a_daemon_has_nothing_that_draws_on_terminals_or_that_its_network_part_does_for_it(tmp_path: Path) -> None:
    """Each costs every PC megabytes."""
    loaded = loaded_by("p2pdist", "run", "--home", str(tmp_path))
    assert loaded == {"trio", "structlog", "asyncio", "tuf", "cryptography", "cryptography.x509"}


def test_what_commands_load_logs_by_the_lazy_log() -> None:
    """Its first line configures the log; a module that holds the library's own would write to stdout before that."""
    processes = {"origin", "service", "web"}  # of the server; they configure it when they start
    rooms = [room for room in (ROOT / "seed_server").iterdir() if room.is_dir() and room.name not in processes]
    rooms += [room for room in (ROOT / "p2pdist").iterdir() if room.is_dir() and room.name != "shared"]
    files = [file for room in rooms for file in room.rglob("*.py")]
    assert files
    assert [str(file) for file in files if "structlog.get_logger" in file.read_text(encoding="utf-8")] == []


def test_a_running_daemon_loads_no_module_of_ours_late() -> None:
    """Between its unpacking and the restart, an upgrade has put other files there: the two releases would be mixed."""
    late = {
        (path.relative_to(ROOT).as_posix(), function.name)
        for path in (ROOT / "p2pdist").rglob("*.py")
        if "commands" not in path.parts and path.name != "wanted_log.py"  # it loads what a daemon has
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("p2pdist", "bandwidth"))
    }
    assert late == {("p2pdist/settings.py", "load_profile")}, "that one is called at the start alone"
