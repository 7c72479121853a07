"""How the workers of `make test` share the tests: `tests.helpers.workers`."""

import ast
import itertools
import re
import tomllib
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.sources import ROOT, files_of, tree_of
from tests.helpers.workers import HANDED_OUT, PARSES_SOURCES, STREAMS, Sharing, in_a_stream

REAL_PROCESSES = ("open_fleet", "open_fleet_at", "open_lab", "open_lab_fleet")
KEPT = [[f"{begins}x.py" for begins in group] for group in (*STREAMS, PARSES_SOURCES)]
LONGEST = max(len(files) for files in KEPT)
IDS = [
    f"{file}::test[{k}]"
    for file in [*itertools.chain(*KEPT), "tests/unit/a.py", "tests/unit/b.py"]
    for k in range((LONGEST if file == "tests/unit/b.py" else 2) * HANDED_OUT)
]


class Worker:
    """Takes tests, and runs them when it is told to."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.to_run: list[int] = []
        self.ran: list[str] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.to_run += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_whatever_the_number_of_workers_a_group_is_run_by_one(count: int) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(loadscopereorder=True), getvalue=lambda _: ["popen"] * count)
    sharing = Sharing(config)
    workers: list[Any] = [Worker(f"w{k}") for k in range(count)]
    for worker in workers:
        sharing.add_node(worker)
    for worker in workers:
        sharing.add_node_collection(worker, IDS)
    sharing.schedule()
    while any(worker.to_run for worker in workers):
        for worker in workers:
            for index in worker.to_run[:1]:
                worker.to_run.pop(0)
                worker.ran.append(IDS[index])
                sharing.mark_test_complete(worker, index)
    assert sorted(test_id for worker in workers for test_id in worker.ran) == sorted(IDS)
    files = [{test_id.partition("::")[0] for test_id in worker.ran} for worker in workers]
    for kept in KEPT:
        assert [ran & set(kept) for ran in files if ran & set(kept)] == [set(kept)]
    # nor is a file that takes long left to one
    assert sum("tests/unit/b.py" in ran for ran in files) >= min(count, 2)


def test_who_starts_real_processes_by_the_dozen_says_so_and_is_in_a_stream() -> None:
    starts = {
        path
        for path in files_of("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and any(alias.name in REAL_PROCESSES for alias in node.names)
    }
    assert starts
    for path in starts:
        assert "pytest.mark.processes" in path.read_text(), path
        assert in_a_stream(str(path.relative_to(ROOT))), path


def test_whoever_says_so_is_in_a_stream_and_no_name_is_left_over() -> None:
    said = {str(path.relative_to(ROOT)) for path in files_of("tests") if "mark.processes" in path.read_text()}
    said.discard("tests/architecture/test_workers.py")
    assert [path for path in sorted(said) if not in_a_stream(path)] == []
    for begins in {begins for group in (*STREAMS, PARSES_SOURCES) for begins in group}:
        assert (ROOT / begins).exists(), begins


def test_one_worker_is_left_for_all_other_tests() -> None:
    workers = re.search(r"^WORKERS \?= (\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert workers
    assert int(workers[1]) == len(STREAMS) + 1


def test_what_make_test_leaves_out_make_slow_runs() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    assert options[-2:] == ["-m", "not slow and not browser"]
    assert re.search(r"^slow: .*\n\t.* pytest -m slow$", (ROOT / "Makefile").read_text(), re.MULTILINE)
