"""The wheel by itself: built, installed into an empty environment, and run where there is no checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.release.source import build_wheel, copy_sources, release_time
from p2pdist.shared.console import ExitCode
from tests.adversary.test_distributions import BASE

INSTALLED_MIB = 85  # without bytecode; a third of it is libtorrent, a fifth cryptography
SERVER_MODULES = ("fastapi", "sqlalchemy", "alembic", "argon2", "olefile", "pyotp", "resvg_py", "psycopg")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel with what it asks for, and nothing else."""
    place = tmp_path_factory.mktemp("wheel")
    copy_sources(place / "source")
    wheel = build_wheel(place / "source", place, release_time())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "environment"], check=True)
    python = place / "environment/bin/python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    command = [*pip, "install", "--no-compile", str(wheel)]
    ended = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    if ended.returncode != 0 and "No matching distribution" in ended.stderr:
        pytest.skip("no package index is reached")
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return place / "environment"


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "P2PDIST", "SEED_"))}


def run_there(environment: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    return subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=environment,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_an_endpoint_is_installed_from_its_wheel_alone(environment: Path, tmp_path: Path) -> None:
    shown = run_there(environment, "p2pdist", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "enrol" in shown.stdout
    status = run_there(environment, "p2pdist", "status", "--home", str(tmp_path))
    assert status.returncode == ExitCode.NOT_SET_UP, status.stderr
    code = "import importlib.util as i, sys; print(*[n for n in sys.argv[1:] if i.find_spec(n)])"
    found = run_there(environment, "python", "-c", code, *SERVER_MODULES)
    assert found.stdout.strip() == ""
    listing = "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions()}))"
    names = {name.lower().replace("_", "-") for name in run_there(environment, "python", "-c", listing).stdout.split()}
    assert names <= BASE | {"p2pdist"}


@pytest.mark.slow
def test_its_server_names_the_extra_and_its_pictures_theirs(environment: Path, tmp_path: Path) -> None:
    served = run_there(environment, "seed-server", "serve", "--home", str(tmp_path))
    assert served.returncode == ExitCode.FAILED
    assert "pip install 'p2pdist[server]'." in served.stderr
    shown = run_there(environment, "bandwidth", "plot", "office-hours", "--output", str(tmp_path / "a.png"))
    assert "pip install 'p2pdist[pictures]'." in shown.stderr


@pytest.mark.slow
def test_it_is_as_small_as_we_say(environment: Path) -> None:
    size = sum(path.lstat().st_blocks * 512 for path in environment.rglob("*"))
    assert size <= INSTALLED_MIB << 20


@pytest.mark.slow
def test_a_wheel_is_the_same_twice(tmp_path: Path) -> None:
    wheels = []
    for name in ("one", "two"):
        copy_sources(tmp_path / name / "source")
        wheels.append(build_wheel(tmp_path / name / "source", tmp_path / name, 1_700_000_000).read_bytes())
    assert wheels[0] == wheels[1]
