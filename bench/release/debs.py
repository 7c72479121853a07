"""Two Debian packages, built by debhelper and looked at by lintian."""

import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import p2pdist
from bench.release.running import BuildError, run
from bench.release.source import copy_sources

PACKAGES = ("p2pdist-endpoint", "p2pdist-server")
TOOLS = {"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "lintian": "lintian"}
MAINTAINER = "p2pdist developers <packages@p2pdist.example.org>"


def debian_version(version: str) -> str:
    """Return ``version`` as dpkg orders it: what comes before a release is less than the release."""
    return re.sub(r"\.?(dev|a|b|rc)(\d+)", r"~\1\2", version)


def missing_tools() -> list[str]:
    """Return the Debian packages that have to be installed before packages can be built here."""
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})


def build_debs(place: Path, wheel: Path, time: int, *, version: str = p2pdist.__version__) -> list[Path]:
    """Build the packages below ``place`` and return their paths. Raises `BuildError`."""
    if missing := missing_tools():
        raise BuildError(f"Packages are missing here. Install them: apt-get install {' '.join(missing)}")
    source = place / "source"
    shutil.rmtree(source, ignore_errors=True)
    copy_sources(source)
    shutil.copytree(source / "packaging/debian", source / "debian")
    date = format_datetime(datetime.fromtimestamp(time, UTC))
    entry = f"p2pdist ({debian_version(version)}) unstable; urgency=medium\n\n  * Release {version}.\n\n"
    (source / "debian/changelog").write_text(f"{entry} -- {MAINTAINER}  {date}\n", encoding="utf-8")
    # the sources need not be one archive: what is built from them is not uploaded
    command = ["dpkg-buildpackage", "--build=binary", "--unsigned-changes", "--unsigned-buildinfo"]
    environment = {"BUILD_PYTHON": sys.executable, "WHEEL": str(wheel.absolute()), "SOURCE_DATE_EPOCH": str(time)}
    run(command, cwd=source, DEB_BUILD_OPTIONS="noautodbgsym nocheck", LC_ALL="C.UTF-8", **environment)
    return [path for name in PACKAGES for path in place.glob(f"{name}_{debian_version(version)}_*.deb")]


def check_debs(debs: Sequence[Path]) -> None:
    """Raise `BuildError` for what lintian finds wrong, but for the overrides in ``packaging/debian``."""
    run(["lintian", "--fail-on=error", "--allow-root", *map(str, debs)], cwd=debs[0].parent)
