"""What is published: packages, archives and scripts, as `seed-server` looks into them."""

import contextlib
import io
from collections.abc import Callable

from bench import sample_packages as packages
from bench.fuzz.target import Target, must
from seed_server.publishing.contents import Contents, InspectionError
from seed_server.publishing.inspect_archive import inspect_archive
from seed_server.publishing.inspect_deb import inspect_deb
from seed_server.publishing.inspect_msi import inspect_msi
from seed_server.publishing.inspect_rpm import inspect_rpm
from seed_server.publishing.inspect_script import inspect_script
from seed_server.publishing.repack import plan_repack
from seed_server.publishing.stored_form import LeftAlone, RepackError, StoredForm


def _inspected(inspect: Callable[[io.BytesIO], Contents | None]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        with contextlib.suppress(InspectionError):
            must(str(inspect(io.BytesIO(data))).isprintable(), "what is shown of a file is one line of visible signs")

    return check


def _repacked(data: bytes) -> None:
    with contextlib.suppress(RepackError):
        plan = plan_repack(io.BytesIO(data))
        if isinstance(plan, StoredForm):
            made = b"".join(plan.parts(io.BytesIO(data)))
            must(len(made) == plan.length_bytes, "a stored form is as long as was said before")
            must(isinstance(plan_repack(io.BytesIO(made)), LeftAlone), "what is unpacked is left alone from then on")


def _debs() -> list[bytes]:
    return [packages.deb(packed=way) for way in ("", "gz", "xz", "zst")]


TARGETS = (
    Target("inspect-deb", _inspected(inspect_deb), _debs, max_bytes=65_536),
    Target(
        "repack",
        _repacked,
        lambda: [*_debs(), packages.tar({"a": b"x" * 99}), packages.zipped({"a": b"x" * 99}, packed=True)],
        max_bytes=65_536,
    ),
    Target("inspect-rpm", _inspected(inspect_rpm), lambda: [packages.rpm(), packages.rpm(epoch=1)]),
    Target("inspect-msi", _inspected(inspect_msi), lambda: [packages.msi()], max_bytes=65_536),
    Target(
        "inspect-archive",
        _inspected(inspect_archive),
        lambda: [
            packages.tar({"a/bin/b": b"x" * 9}, links={"a/l": "bin"}),
            packages.zipped({"a\\b": b"x"}),
            packages.zipped_in("cp932", "更新"),
        ],
    ),
    Target(
        "inspect-script",
        _inspected(lambda file: inspect_script(file, "python3")),  # a shell for each input would be slow
        lambda: [b"#!/usr/bin/env python3\nprint(1)\n", "#!python\n".encode("utf-16")],
    ),
)
