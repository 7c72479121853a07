"""What an office PC carries: the endpoint needs none of the server's or the pictures' distributions.

Whatever lies on every PC of a company is reachable for an attacker there: a web server that nothing uses is one more.
"""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.release.locked import closure
from p2pdist.shared.console import ExitCode
from tests.helpers.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NOT_LOCKED = {"pictures-ja"}  # a font of 16 MB for everybody who tests (ADR 0005)

# refuses to find the modules that are named
MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Missing())
"""
# imports every module of the packages that are named, but for those that are named after them
IMPORT_ALL = """
import importlib, pkgutil

packages, without = sys.argv[1].split(","), sys.argv[2].split(",")
for package in packages:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not module.name.endswith("__main__") and module.name not in without:
            importlib.import_module(module.name)
print("all imported")
"""


BASE = closure(map(Requirement, PROJECT["dependencies"]))


def blocked_modules() -> str:
    """Return the top-level modules of all installed distributions that an endpoint does not need."""
    owners = importlib.metadata.packages_distributions()
    ours = {"p2pdist", "seed_server", "bandwidth"}
    names = {module for module, dists in owners.items() if not {canonicalize_name(dist) for dist in dists} & BASE}
    return ",".join(sorted(names - ours))


def run_on_a_pc(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` where only what an endpoint needs is installed."""
    command = [sys.executable, "-c", MISSING + code, blocked_modules(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


def test_no_web_server_and_no_renderer_is_among_what_every_pc_gets() -> None:
    web = {"fastapi", "starlette", "pydantic"}
    assert not BASE & (web | {"resvg-py", "font-source-sans-pro"})


def test_endpoint_and_limiter_import_without_what_only_the_server_needs() -> None:
    assert {"fastapi", "starlette", "resvg_py", "pytest"} <= set(blocked_modules().split(","))
    ended = run_on_a_pc(IMPORT_ALL, "p2pdist,bandwidth", "bandwidth.pictures.png")
    assert ended.stdout == "all imported\n", ended.stderr[-2_000:]


def test_the_server_says_which_extra_is_missing(tmp_path: Path) -> None:
    serve = "from seed_server.commands.main import main; main()"
    ended = run_on_a_pc(serve, "serve", "--home", str(tmp_path))
    assert ended.returncode == ExitCode.FAILED
    assert ended.stderr.startswith("error: The server's part of p2pdist is not installed here (")
    assert "pip install 'p2pdist[server]'." in ended.stderr


def test_so_does_a_look_into_a_package(tmp_path: Path) -> None:
    (tmp_path / "acme").write_bytes(b"x")
    recipe = 'patch_id = "acme"\n[[payload]]\nfile = "acme"\n[install]\nkind = "msi"\n'
    (tmp_path / "acme.toml").write_text(recipe)
    ended = run_on_a_pc("from seed_server.commands.main import main; main()", "lint", str(tmp_path / "acme.toml"))
    assert "pip install 'p2pdist[server]'." in ended.stdout + ended.stderr


def test_the_limiter_says_which_extra_draws(tmp_path: Path) -> None:
    draw = "from pathlib import Path; from bandwidth.commands.picture_file import write_picture\n"
    draw += "write_picture(Path(sys.argv[1]) / sys.argv[2], '<svg/>')"
    assert run_on_a_pc(draw, str(tmp_path), "a.svg").returncode == 0
    ended = run_on_a_pc(draw, str(tmp_path), "a.png")
    assert "Write an .svg file, or install p2pdist with its extra: pip install 'p2pdist[pictures]'." in ended.stderr
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - NOT_LOCKED))
def test_the_lock_has_every_extra(extra: str) -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)(?:\[\S+\])?==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert closure(map(Requirement, [*PROJECT["dependencies"], *EXTRAS[extra]])) <= locked
