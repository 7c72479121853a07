"""Compiles the limiter's core and the simulator to native code, for benchmarks: the same sources, several times faster.

    python -m bench.compile_simulator
    PYTHONSAFEPATH=1 PYTHONPATH=build/compiled:. python -m bench.same_results

The whole of `bandwidth` is copied to ``build/compiled``; beside each hot module mypyc puts an
extension, which Python prefers to the source. PYTHONSAFEPATH keeps the current directory, and
with it the sources, from coming first. Everything else goes on using the sources.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "compiled"
STAMP = ".sources"
HOT = ("core/*.py", "simulator/*.py", "simulator/flows/*.py", "simulator/rivals/*.py")
NOT_HOT = ("__init__.py",)

# mypyc's own options come first. No fused multiply-add where the processor has one: it rounds once where
# the interpreter rounds twice, and results must be the same to the last bit
COMPILER_OPTIONS = "-O3 -ffp-contract=off"

BUILD = """
import sys
from setuptools import setup
from mypyc.build import mypycify

modules = mypycify(["--config-file=mypy.ini", *sys.argv[1:]], opt_level="3", debug_level="0", verbose=False)
setup(name="compiled", ext_modules=modules, script_args=["--quiet", "build_ext", "--inplace"])
"""

MYPY_SETTINGS = """
[mypy]
strict = True
explicit_package_bases = True
namespace_packages = True
"""


class CompileError(Exception):
    """What is missing, and what to do about it."""


def compile_simulator(target: Path = TARGET) -> bool:
    """Bring ``target`` up to date; return False when it was. Raises `CompileError`."""
    stamp = _fingerprint()
    if (target / STAMP).is_file() and (target / STAMP).read_text(encoding="utf-8") == stamp:
        return False
    _check_tools()
    # made beside the old one and renamed, so that nobody finds half of it
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(ROOT / "bandwidth", fresh / "bandwidth", ignore=shutil.ignore_patterns("__pycache__"))
    (fresh / "mypy.ini").write_text(MYPY_SETTINGS, encoding="utf-8")
    modules = [str(path.relative_to(fresh)) for path in _hot_modules(fresh / "bandwidth")]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *modules],
        cwd=fresh,
        env=os.environ | {"CFLAGS": f"{os.environ.get('CFLAGS', '')} {COMPILER_OPTIONS}".strip()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CompileError(f"compiling has failed:\n{done.stdout}{done.stderr}")
    shutil.rmtree(fresh / "build", ignore_errors=True)
    (fresh / STAMP).write_text(stamp, encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return True


def _hot_modules(package: Path) -> list[Path]:
    return [path for pattern in HOT for path in sorted(package.glob(pattern)) if path.name not in NOT_HOT]


def _fingerprint() -> str:
    """Return a hash of everything that the result depends on."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    for path in [
        Path(__file__),
        *sorted((ROOT / "bandwidth").rglob("*.py")),
        *sorted(ROOT.glob("bandwidth/**/*.toml")),
    ]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _check_tools() -> None:
    for module in ("mypyc", "setuptools"):
        if importlib.util.find_spec(module) is None:
            raise CompileError(f"{module} is not installed. Install the development dependencies: make lint")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        raise CompileError(f"there is no C compiler ({compiler}). Install one (Debian, Ubuntu: apt install gcc).")
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not headers.is_file():
        raise CompileError(f"{headers} is missing. Install Python's headers (Debian, Ubuntu: apt install python3-dev).")


def main() -> None:
    """Compile, and say so."""
    try:
        built = compile_simulator()
    except CompileError as error:
        sys.exit(f"error: {error}")
    print(f"{TARGET.relative_to(ROOT)}: {'compiled' if built else 'up to date'}", file=sys.stderr)


if __name__ == "__main__":
    main()
