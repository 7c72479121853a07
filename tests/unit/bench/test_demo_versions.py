from bench.demo_versions import MENDED, MODULES, REWRITTEN, modules_of
from p2pdist.shared.coded_pieces import encode_zstd

FORMER, NEW = modules_of("1.0"), modules_of("2.0")


def test_the_same_bytes_every_time_and_25_mb_of_them() -> None:
    assert modules_of("2.0") == NEW
    for version in (FORMER, NEW):
        assert 23e6 < sum(len(content) for _, content in version) < 27e6
    assert [name for name, _ in FORMER] == [name for name, _ in NEW]


def test_a_part_differs() -> None:
    rewritten = {k for k in range(MODULES) if FORMER[k][1][200_000:] != NEW[k][1][-len(FORMER[k][1]) :][200_000:]}
    assert rewritten >= REWRITTEN
    assert rewritten <= REWRITTEN | MENDED
    assert all(FORMER[k][1] != NEW[k][1] for k in range(MODULES))  # the version, at least


def test_a_version_is_made_of_the_one_before() -> None:
    mended = min(MENDED)
    (_, former), (_, new) = FORMER[mended], NEW[mended]
    alone, built = len(encode_zstd(new, b"", 9)), len(encode_zstd(new, former, 9))
    assert 0.2 < alone / len(new) < 0.6  # as programs are
    assert built < 0.05 * len(new)
