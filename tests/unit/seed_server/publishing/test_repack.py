"""`seed_server.publishing.repack`: what becomes of which file; whatever is in one, it ends with a plan or a reason."""

import contextlib
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import sample_packages as packages
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
