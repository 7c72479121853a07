import pytest

from bench.demo_versions import MENDED, MODULES, REWRITTEN, modules_of
from p2pdist.shared.coded_pieces import encode_zstd

Modules = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def former() -> Modules:
    return modules_of("1.0")


@pytest.fixture(scope="module")
def new() -> Modules:
    return modules_of("2.0")


def test_the_same_bytes_every_time_and_25_mb_of_them(former: Modules, new: Modules) -> None:
    assert modules_of("2.0") == new
    for version in (former, new):
        assert 23e6 < sum(len(content) for _, content in version) < 27e6
    assert [name for name, _ in former] == [name for name, _ in new]


def test_a_part_differs(former: Modules, new: Modules) -> None:
    rewritten = {k for k in range(MODULES) if former[k][1][200_000:] != new[k][1][-len(former[k][1]) :][200_000:]}
    assert rewritten >= REWRITTEN
    assert rewritten <= REWRITTEN | MENDED
    assert all(former[k][1] != new[k][1] for k in range(MODULES))  # the version, at least


def test_a_version_is_made_of_the_one_before(former: Modules, new: Modules) -> None:
    mended = min(MENDED)
    (_, before), (_, after) = former[mended], new[mended]
    alone, built = len(encode_zstd(after, b"", 9)), len(encode_zstd(after, before, 9))
    assert 0.2 < alone / len(after) < 0.6  # as programs are
    assert built < 0.05 * len(after)
