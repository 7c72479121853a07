"""`seed_server.publishing.repack_deb` beside dpkg itself: it must take the stored form as it takes the package."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import sample_packages as packages
from seed_server.publishing import stored_form
from seed_server.publishing.inspect_deb import inspect_deb
from seed_server.publishing.repack_deb import MAX_DEB_MEMBERS, plan_deb
from seed_server.publishing.stored_form import NOTHING_PACKED, LeftAlone, RepackError, StoredForm

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb here")


def repacked(data: bytes) -> bytes:
    plan = plan_deb(io.BytesIO(data))
    assert isinstance(plan, StoredForm)
    made = b"".join(plan.parts(io.BytesIO(data)))
    assert len(made) == plan.length_bytes
    return made


def run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def built(folder: Path, packed: str) -> Path:
    """Build a package with files, links, modes and a script, as dpkg does."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: acme-repacked\nVersion: 1:2.0\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"
    )
    (tree / "DEBIAN/postinst").write_text("#!/bin/sh\nexit 0\n")
    (tree / "DEBIAN/postinst").chmod(0o755)
    (tree / "opt/acme").mkdir(parents=True)
    (tree / "opt/acme/run").write_bytes(b"#!/bin/sh\n" + b"x" * 300_001)
    (tree / "opt/acme/run").chmod(0o755)
    (tree / "opt/acme/link").symlink_to("run")
    made = subprocess.run(
        ["dpkg-deb", "--root-owner-group", f"-Z{packed}", "--build", "tree", "acme.deb"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unknown compression" in made.stderr:
        pytest.skip(f"this dpkg-deb knows no {packed}")
    assert made.returncode == 0, made.stderr
    return folder / "acme.deb"


@needs_dpkg
@pytest.mark.parametrize("packed", ["gzip", "xz", "zstd"])
def test_dpkg_sees_and_installs_the_same(packed: str, tmp_path: Path) -> None:
    package = built(tmp_path, packed)
    stored = tmp_path / "stored.deb"
    stored.write_bytes(repacked(package.read_bytes()))
    for question in ("--contents", "--field", "--ctrl-tarfile", "--fsys-tarfile"):
        answers = [
            subprocess.run(["dpkg-deb", question, path], check=True, capture_output=True).stdout
            for path in (package, stored)
        ]
        assert answers[0] == answers[1]
    assert run("dpkg-deb", "--info", stored, cwd=tmp_path).partition("\n")[2].partition("bytes")[0].split()[:2] == [
        "size",
        str(stored.stat().st_size),
    ]
    root, trees = tmp_path / "root", []
    for path in (package, stored):
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("updates", "info", "triggers"):
            (root / "var/lib/dpkg" / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        # without chroot: what is installed there has no shell
        options = [f"--root={root}", "--force-not-root", "--force-script-chrootless", "--force-depends"]
        done = subprocess.run(["dpkg", *options, "--unpack", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        trees.append({
            str(file.relative_to(root)): (file.lstat().st_mode, file.read_bytes() if file.is_file() else b"")
            for file in sorted((root / "opt").rglob("*"))
        })  # fmt: skip
    assert trees[0] == trees[1]
    assert len(trees[0]) == 3


@pytest.mark.parametrize("packed", ["gz", "xz", "zst"])
def test_it_is_the_package_and_is_left_alone_from_then_on(packed: str) -> None:
    data = packages.deb("acme", "1:2.0", packed=packed)
    made = repacked(data)
    assert made == packages.deb("acme", "1:2.0", packed="")
    assert repacked(data) == made
    assert plan_deb(io.BytesIO(made)) is NOTHING_PACKED
    assert inspect_deb(io.BytesIO(made)) == inspect_deb(io.BytesIO(data))


def test_a_signed_package_is_left_alone() -> None:
    plan = plan_deb(io.BytesIO(packages.deb() + packages.ar_member("_gpgorigin", b"-----BEGIN PGP SIGNATURE-----\n")))
    assert isinstance(plan, LeftAlone)
    assert plan.reason.startswith("it is signed")


def test_a_package_in_an_old_packing_is_left_alone() -> None:
    data = packages.deb(packed="").replace(b"data.tar     ", b"data.tar.lzma")
    plan = plan_deb(io.BytesIO(data))
    assert isinstance(plan, LeftAlone)
    assert "not known here" in plan.reason


HONEST = packages.deb(packed="xz")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"!<arch>\n",
        HONEST[:-1],
        HONEST[:100],
        HONEST[:-40] + b"\0" * 40,
        HONEST.replace(b"debian-binary", b"debian-other!"),
        HONEST + packages.ar_member("data.tar.xz", b"x"),
        HONEST + packages.ar_member("more", b"") * MAX_DEB_MEMBERS,
        HONEST.replace(b"`\n", b"!\n", 1),
    ],
)
def test_what_is_damaged_is_said(data: bytes) -> None:
    with pytest.raises(RepackError):
        repacked(data)


def test_more_than_the_cap_is_refused_before_it_is_written() -> None:
    assert stored_form.checked_length(stored_form.MAX_STORED_BYTES) == stored_form.MAX_STORED_BYTES
    with pytest.raises(RepackError, match="more than 16 GiB"):
        stored_form.checked_length(stored_form.MAX_STORED_BYTES + 1)
