"""The workflow for public hosts names what is there: our Python, our targets, our folders. Nobody has run it yet."""

import re
import tomllib
from typing import Any

import yaml

from tests.helpers.sources import ROOT

FILE = ROOT / ".github/workflows/ci.yml"
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["jobs"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def commands_of(job: str) -> str:
    return "\n".join(step["run"] for step in JOBS[job]["steps"] if "run" in step)


def test_linux_must_pass_and_runs_what_everybody_runs() -> None:
    assert "continue-on-error" not in JOBS["linux"]
    assert commands_of("linux").endswith("bash .ci/run")
    assert "exec make test\n" in (ROOT / ".ci/run").read_text()
    assert re.search(r"^test: ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_systems_on_which_nobody_has_run_it_may_fail_and_have_our_least_python() -> None:
    least = PROJECT["requires-python"].removeprefix(">=")
    for job in ("macos", "windows"):
        assert JOBS[job]["continue-on-error"] is True
        (python,) = (step["with"] for step in JOBS[job]["steps"] if "setup-python" in step.get("uses", ""))
        assert python == {"python-version": least}


def test_every_folder_and_extra_that_is_named_exists() -> None:
    for job in JOBS:
        named = re.findall(r"tests/[a-z_0-9/]+", commands_of(job))
        assert [name for name in named if not (ROOT / name).is_dir()] == []
        for extras in re.findall(r"\.\[([a-z,]+)\]", commands_of(job)):
            assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_actions_are_pinned_and_may_only_read() -> None:
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", name)] == []
    assert yaml.safe_load(FILE.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}
