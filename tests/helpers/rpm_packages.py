"""RPM packages for tests, built by the real rpmbuild; their database is in a root of its own."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from p2pdist.install.proven_files import KeptPayload

NEEDS_RPM = [
    pytest.mark.skipif(
        not all(Path("/usr/bin", name).exists() for name in ("rpm", "rpmbuild")), reason="rpm or rpmbuild is missing"
    )
]

SPEC = """Name: {name}
Version: {version}
Release: 1
Summary: for a test
License: none
BuildArch: noarch
{provides}
%description
For a test.
%install
mkdir -p %{{buildroot}}/opt/{name}-{version}
echo {version} > %{{buildroot}}/opt/{name}-{version}/version
%files
/opt/{name}-{version}
"""


class RpmPackages:
    """Builds packages below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def build(self, version: str, *, name: str = "acme", provides: str = "") -> KeptPayload:
        """Return the package of this version, which ``provides`` one thing more than itself."""
        spec = self.directory / f"{name}-{version}.spec"
        provided = f"Provides: {provides}\n" if provides else ""
        spec.write_text(SPEC.format(name=name, version=version, provides=provided))
        top = self.directory / "rpmbuild"
        subprocess.run(["rpmbuild", "--define", f"_topdir {top}", "-bb", spec], check=True, capture_output=True)
        file = top / "RPMS/noarch" / f"{name}-{version}-1.noarch.rpm"
        return KeptPayload(file, hashlib.sha256(file.read_bytes()).hexdigest(), version)
