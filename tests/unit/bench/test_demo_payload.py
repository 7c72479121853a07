import tarfile
from pathlib import Path

import pytest

from bench.demo_payload import build_payload


def test_it_stops_when_it_has_enough_and_is_a_whole_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    sizes: list[int] = []
    build_payload(path, sizes.append, enough_bytes=2_000_000)
    assert sizes == sorted(sizes)
    assert sizes[-2] < 2_000_000 <= sizes[-1]
    with tarfile.open(path) as archive:
        assert all(member.isfile() and member.mtime == 0 for member in archive)


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_payload(tmp_path / name, lambda _: None, enough_bytes=1_000_000)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_the_progress_raises_ends_it(tmp_path: Path) -> None:
    def refuse(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        build_payload(tmp_path / "a.tar", refuse)
