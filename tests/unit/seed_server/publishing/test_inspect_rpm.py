"""`seed_server.publishing.inspect_rpm` beside `rpmbuild`; hostile files are in `tests/property/test_inspectors.py`."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.publishing.contents import InspectionError, PackageContents
from seed_server.publishing.inspect_rpm import inspect_rpm

SPEC = """\
Name: acme-agent
Version: 1.0
Release: 3
Epoch: 2
Summary: x
License: MIT
%description
x
%files
"""


def built(folder: Path, *options: str) -> bytes:
    (folder / "acme.spec").write_text(SPEC)
    place = f"_topdir {folder}/build"
    subprocess.run(
        ["rpmbuild", *options, "--target", "x86_64", "--define", place, "acme.spec"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (package,) = folder.glob("build/*RPMS/**/*.rpm")
    return package.read_bytes()


needs_rpmbuild = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="there is no rpmbuild here")


@needs_rpmbuild
def test_it_reads_what_rpmbuild_makes(tmp_path: Path) -> None:
    found = inspect_rpm(io.BytesIO(built(tmp_path, "-bb")))
    assert found == PackageContents(Ecosystem.RPM, "acme-agent", "2:1.0-3", "x86_64")
    assert found.arch == "amd64"


@needs_rpmbuild
def test_a_source_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match="it is a source package"):
        inspect_rpm(io.BytesIO(built(tmp_path, "-bs")))
