"""`seed_server.publishing.repack`: what becomes of which file; whatever is in one, it ends with a plan or a reason."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import sample_packages as packages
from p2pdist.install import archive
from p2pdist.shared import durable_files
from p2pdist.shared.folder import Folder
from seed_server.publishing.repack import plan_repack
from seed_server.publishing.stored_form import LeftAlone, RepackError, StoredForm

HONEST = [
    *(packages.deb(packed=way) for way in ("gz", "xz", "zst")),
    packages.tar({"a/b": b"x" * 900}),
    packages.tar({"a/b": b"x" * 900}, packed=""),
    packages.zipped({"a/b": b"x" * 900, "c": b"", "bin/d": b"y" * 70_000}, packed=True),
]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MZ\x90", "a program"),
        (packages.msi(), "an installer's database"),
        (packages.rpm(), "an RPM package"),
        (packages.tar({"a": b"x"}, packed="xz"), "publish the .tar"),
        (packages.zstd_packed(b"x"), "publish the .tar"),
        (packages.tar({"a": b"x"}, packed=""), "no package or archive"),
        (b"", "no package or archive"),
        (b"MSCF", "signed"),
    ],
)
def test_what_cannot_change_is_left_alone_with_the_reason(data: bytes, reason: str) -> None:
    plan = plan_repack(io.BytesIO(data))
    assert isinstance(plan, LeftAlone)
    assert reason in plan.reason


@pytest.mark.parametrize(
    "data",
    [
        packages.tar({"acme/bin/run": b"#!/bin/sh\n", "acme/data": b"x" * 300_000}, links={"acme/l": "data"}),
        packages.zipped({"acme/bin/run": b"#!/bin/sh\n", "acme/data": b"x" * 300_000}, packed=True),
    ],
    ids=["tar.gz", "zip"],
)
def test_a_pc_installs_the_same_tree_of_an_archive(data: bytes, tmp_path: Path) -> None:
    plan = plan_repack(io.BytesIO(data))
    assert isinstance(plan, StoredForm)
    trees = []
    for name, content in (("packed", data), ("stored", b"".join(plan.parts(io.BytesIO(data))))):
        durable_files.make_directory(tmp_path / name)
        with Folder.open(tmp_path / name) as folder:
            archive.install(io.BytesIO(content), folder, "2.0", "a" * 64, strip_components=1)
        root = tmp_path / name / "current"
        trees.append({
            str(path.relative_to(root)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in sorted(root.rglob("*"))
        })  # fmt: skip
    assert trees[0] == trees[1]
    assert trees[0]["bin/run"][0] & 0o100


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(HONEST))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([0, 1, 2, 4, 16, 300]))
        new = draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"\xff" * 4, b"\0" * 8, data[:64]])))
        data = data[:place] + new + data[place + size :]
    return data


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_a_broken_file_is_repacked_left_alone_or_refused(data: bytes) -> None:
    with contextlib.suppress(RepackError):
        plan = plan_repack(io.BytesIO(data))
        if isinstance(plan, StoredForm):
            made = b"".join(plan.parts(io.BytesIO(data)))
            assert len(made) == plan.length_bytes
            assert isinstance(plan_repack(io.BytesIO(made)), LeftAlone)
