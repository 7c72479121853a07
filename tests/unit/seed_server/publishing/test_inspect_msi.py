"""`seed_server.publishing.inspect_msi` beside `wixl`; hostile files are in `tests/property/test_inspectors.py`."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import sample_packages as packages
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.publishing.contents import InspectionError, MsiContents
from seed_server.publishing.inspect_msi import inspect_msi

SOURCE = """\
<?xml version="1.0"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
<Product Id="6a3f1c9e-52b7-4d0e-9c41-7f0b8d2e6a15" Name="Acme Desktop" Language="1033" Version="5.3.0"
 Manufacturer="Acme" UpgradeCode="6A3F1C9E-52B7-4D0E-9C41-7F0B8D2E6A16">
<Package InstallerVersion="200"/><Media Id="1"/><Directory Id="TARGETDIR" Name="SourceDir"/>
<Feature Id="F" Level="1"/></Product></Wix>
"""


@pytest.mark.skipif(shutil.which("wixl") is None, reason="there is no wixl here")
def test_it_reads_what_wixl_makes(tmp_path: Path) -> None:
    (tmp_path / "acme.wxs").write_text(SOURCE)
    subprocess.run(["wixl", "-a", "x64", "-o", "a.msi", "acme.wxs"], cwd=tmp_path, check=True, capture_output=True)
    found = inspect_msi(io.BytesIO((tmp_path / "a.msi").read_bytes()))
    assert found == MsiContents(Ecosystem.WINDOWS, "Acme Desktop", "5.3.0", "x64", packages.PRODUCT_CODE)


def test_names_are_in_the_code_page_that_it_names() -> None:
    assert inspect_msi(io.BytesIO(packages.msi("Büro"))).name == "Büro"
    # without one, they are in that of whoever reads it: it is not guessed, and no detection made of it
    assert inspect_msi(io.BytesIO(packages.msi("Büro", code_page=0))).name == "B\ufffdro"


@pytest.mark.parametrize(
    ("template", "arch"), [("x64;1033", "amd64"), ("Intel;1031", "x86"), ("Arm64;0", "arm64"), (";1033", "")]
)
def test_the_template_names_the_architecture(template: str, arch: str) -> None:
    assert inspect_msi(io.BytesIO(packages.msi(template=template))).arch == arch


def test_without_a_product_code_it_is_none() -> None:
    with pytest.raises(InspectionError, match="no product code: is it a merge module"):
        inspect_msi(io.BytesIO(packages.msi(code="{none}")))
