"""A release: wheel, Debian packages, bills of materials, checksums. Built twice, in two places; must be equal."""

import hashlib
import shutil
import sys
from pathlib import Path

from bench.release.debs import build_debs, check_debs
from bench.release.running import BuildError, run
from bench.release.source import ROOT, build_wheel, copy_sources, release_time
from bench.release.staging import PRODUCTS

SBOM_TOOL = "cyclonedx-bom==7.5.0"
CHECKSUMS = "SHA256SUMS"


def build_once(place: Path, time: int) -> list[Path]:
    """Build wheel and packages below the new directory ``place``, and return their paths."""
    place.mkdir(parents=True)
    copy_sources(place / "wheel-source")
    wheel = build_wheel(place / "wheel-source", place, time)
    return [wheel, *build_debs(place, wheel, time)]


def build_release(place: Path) -> list[Path]:
    """Build a release below ``place``, which is emptied, and return its files. Raises `BuildError`."""
    if changed := run(["git", "status", "--porcelain"], cwd=ROOT).strip():
        raise BuildError(f"What is not committed cannot be released:\n{changed}")
    shutil.rmtree(place, ignore_errors=True)
    time = release_time()
    files = build_once(place / "once", time)
    compare(files, build_once(place / "once-more", time))
    check_debs([file for file in files if file.suffix == ".deb"])
    bills = [_bill_of_materials(place, product, time) for product in PRODUCTS]
    made = []
    for file in [*files, *bills]:
        made.append(place / file.name)
        if file.parent != place:
            shutil.move(file, made[-1])
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(made)]
    (place / CHECKSUMS).write_text("".join(lines), encoding="ascii")
    for name in ("once", "once-more"):
        shutil.rmtree(place / name)
    return [*made, place / CHECKSUMS]


def compare(files: list[Path], again: list[Path]) -> None:
    """Raise `BuildError` where two builds are not equal, byte for byte."""
    different = [
        one.name
        for one, other in zip(files, again, strict=True)
        if one.name != other.name or one.read_bytes() != other.read_bytes()
    ]
    if different:
        raise BuildError(f"Built twice, and not the same: {', '.join(different)}.")


def _bill_of_materials(place: Path, product: str, time: int) -> Path:
    """Write what is in the package of a product, in CycloneDX, and return the path."""
    tool = place.parent / "sbom"
    if not (tool / "bin/cyclonedx-py").exists():
        run([sys.executable, "-m", "venv", str(tool)], cwd=ROOT)
        pip = [str(tool / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        run([*pip, SBOM_TOOL], cwd=ROOT)
    target = place / f"p2pdist-{product}.cdx.json"
    environment = place / "once/source/debian" / f"p2pdist-{product}" / "opt/p2pdist" / product
    command = [str(tool / "bin/cyclonedx-py"), "environment", "--output-reproducible", "--output-format", "JSON"]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(target)]
    run([*command, str(environment / "bin/python3")], cwd=ROOT, SOURCE_DATE_EPOCH=str(time), PYTHONPATH="")
    return target
