"""`seed_server.publishing.inspect_deb` beside `dpkg-deb`; hostile files are in `tests/property/test_inspectors.py`."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.publishing.contents import PackageContents
from seed_server.publishing.inspect_deb import inspect_deb


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb here")
@pytest.mark.parametrize("packed", ["none", "gzip", "xz", "zstd"])
def test_it_reads_what_dpkg_deb_makes(packed: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    control = "Package: acme-agent\nVersion: 2:1.0~rc1-3\nArchitecture: arm64\nMaintainer: x <x@y>\nDescription: x\n"
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(control)
    made = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--uniform-compression", f"-Z{packed}", "--build", "tree", "acme.deb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unknown compression" in made.stderr:
        pytest.skip(f"this dpkg-deb knows no {packed}")
    assert made.returncode == 0, made.stderr
    found = inspect_deb(io.BytesIO((tmp_path / "acme.deb").read_bytes()))
    assert found == PackageContents(Ecosystem.DEB, "acme-agent", "2:1.0~rc1-3", "arm64")
    assert str(found) == "Debian package acme-agent 2:1.0~rc1-3 (arm64)"
