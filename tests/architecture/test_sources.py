"""What import-linter's contracts cannot say about the sources; the arrows themselves are in pyproject.toml."""

import ast
from collections.abc import Iterator

import pytest

from tests.helpers.sources import PACKAGES, ROOT, files_of, imports_of, nodes_of, tree_of

MAX_LINES = 400  # "files near 300 lines": beyond this, a file has two jobs
SHARED_VOCABULARY = {"p2pdist.shared"}
SOURCES = [path for package in (*PACKAGES, "bench") for path in files_of(package)]


def within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def test_a_file_has_one_job() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert lines
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_the_seed_server_takes_only_the_shared_vocabulary_from_the_daemon() -> None:
    taken = {
        (str(path.relative_to(ROOT)), name)
        for path in files_of("seed_server")
        for name in imports_of(path)
        if within(name, {"p2pdist"}) and not within(name, SHARED_VOCABULARY) and name != "p2pdist.__version__"
    }
    assert taken == set()


PROCESS_STARTERS = {
    *("open_process", "run_process", "create_subprocess_exec", "create_subprocess_shell"),
    *("system", "popen", "startfile", "fork", "forkpty", "posix_spawn", "posix_spawnp"),
    *(f"{kind}{form}" for kind in ("exec", "spawn") for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}


def test_processes_are_started_for_the_installer_as_the_network_part_and_to_ask_polkit_alone() -> None:
    """What import-linter cannot see: trio and os start processes as well."""
    starters, users = set(), set()
    for path in files_of("p2pdist"):
        name = str(path.relative_to(ROOT))
        for node in nodes_of(path):
            if isinstance(node, ast.Attribute) and node.attr in PROCESS_STARTERS and is_module(node.value):
                starters.add(name)
        if any(within(taken, {"p2pdist.install.processes"}) for taken in imports_of(path)):
            users.add(name)
    # the supervisor of an upgrade is a program of its own, which starts itself anew in the background
    assert starters == {
        "p2pdist/install/processes.py",
        "p2pdist/install/supervisor.py",
        "p2pdist/local_api/polkit.py",  # a program of the system's own, with no argument from outside
        "p2pdist/network/process.py",
    }
    assert users == {"p2pdist/install/detection.py", "p2pdist/install/installer.py"}


def is_module(node: ast.expr) -> bool:
    """Whether it is os, trio, or a module in one of them such as trio.lowlevel."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in {"os", "trio", "asyncio"}


CLOCK_OWNERS = {
    "p2pdist": {
        "p2pdist/shared/clock.py",
        # a program of its own, which has the standard library alone
        *("p2pdist/install/supervisor.py", "p2pdist/install/supervised_processes.py"),
    },
    "seed_server": {"seed_server/publishing/torrent_builder.py"},  # in a process of its own, which is handed a file
}
"""By folder, the files that ask the system for the time: `SystemClock`, which is handed to every other part."""
CLOCKS = {
    *(f"time.{kind}{unit}" for kind in ("time", "monotonic", "perf_counter", "process_time") for unit in ("", "_ns")),
    *("time.clock_gettime", "time.clock_gettime_ns", "time.gmtime", "time.localtime", "time.ctime"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}


@pytest.mark.parametrize("folder", CLOCK_OWNERS)
def test_the_system_is_asked_for_the_time_in_one_place(folder: str) -> None:
    """All else is handed a `Clock`, or the time itself; intervals are measured with trio's own."""
    askers = set()
    for path in files_of(folder):
        used = {ast.unparse(node) for node in nodes_of(path) if isinstance(node, ast.Attribute)}
        used = {".".join(name.split(".")[-2:]) for name in used} | imports_of(path)
        if used & CLOCKS:
            askers.add(str(path.relative_to(ROOT)))
    assert askers == CLOCK_OWNERS[folder]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_closure_reads_a_name_that_is_bound_later(package: str) -> None:
    """It would be a `NameError` for a call that comes too early: parts are built from those that are there."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.id}"
        for path in files_of(package)
        for function in nodes_of(path)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in read_too_early(function)
    ]
    assert found == []


def read_too_early(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Name]:
    """Yield what lambdas and inner functions read of a variable that the function first assigns below them."""
    arguments = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    stored = [node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    inner = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) and node is not function
    ]
    within_inner = {id(name) for closure in inner for name in ast.walk(closure) if name is not closure}
    bound_at: dict[str, int] = {}
    for name in stored:
        if id(name) not in within_inner:
            bound_at[name.id] = min(name.lineno, bound_at.get(name.id, name.lineno))
    for closure in inner:
        own = {argument.arg for argument in ast.walk(closure.args) if isinstance(argument, ast.arg)} | arguments
        own |= {name.id for name in stored if id(name) in {id(node) for node in ast.walk(closure)}}
        for node in ast.walk(closure):
            if isinstance(node, ast.Name) and node.id not in own and bound_at.get(node.id, 0) > closure.lineno:
                yield node


NOT_ON_WINDOWS = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}


def test_modules_that_windows_lacks_are_imported_where_they_are_needed_alone() -> None:
    """Else nothing that imports the file could be tried there, and no test at all where it is the tests' conftest."""
    wanted = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (*SOURCES, ROOT / "tests/conftest.py")
        if path.parts[len(ROOT.parts)] != "bench"
        for node in tree_of(path).body  # not in a function, nor below `if sys.platform`
        if isinstance(node, ast.Import | ast.ImportFrom)
        and NOT_ON_WINDOWS & {getattr(node, "module", None), *(alias.name for alias in node.names)}
    ]
    assert wanted == []
