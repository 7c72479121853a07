import os
import shutil
from pathlib import Path

import pytest

from bench.lab.namespaces import LabError, name_prefix, owner_lives, stale_namespaces, start_ticks, why_not
from bench.lab.wan_link import DirectionShape, compiled, line_shape

NO_PROCESS = 4_194_304  # over the kernel's highest number


@pytest.fixture
def alive() -> str:
    if start_ticks(os.getpid()) is None:
        pytest.skip("needs Linux's /proc")
    return f"{name_prefix()}-1-head"


def test_the_owner_is_a_process_and_when_it_started(alive: str) -> None:
    assert owner_lives(alive) is True
    assert owner_lives(f"p2plab-{os.getpid()}-1-1-head") is False, "another process had this number"
    assert owner_lives(f"p2plab-{NO_PROCESS}-1-1-head") is False


@pytest.mark.parametrize("name", ["blue", "p2plab", "p2plab-x-1-1-head", "p2plab-1-1", "other-1-1-1-head"])
def test_what_is_not_a_labs_has_no_owner_and_is_left_alone(name: str) -> None:
    assert owner_lives(name) is None
    assert stale_namespaces([name]) == []


def test_only_the_dead_owners_are_stale(alive: str) -> None:
    dead = f"p2plab-{NO_PROCESS}-1-1-head"
    assert stale_namespaces([alive, dead, "blue"]) == [dead]


def test_a_lines_buffer_is_bytes_of_its_own_rate() -> None:
    line = line_shape(20, 2, rtt_ms=40, buffer_ms=200, loss=0.01)
    assert line.down.buffer_bytes == 500_000
    assert line.up.buffer_bytes == 50_000
    assert line.down.words() == ["20000000", "20000000", "500000", "fifo", "0.01"]
    assert line.up.loss == 0
    assert DirectionShape(0.1, 0, 1).buffer_bytes == 4500


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in str(why_not())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: None if program == "gcc" else f"/usr/bin/{program}")
    assert "needs `gcc` (package gcc)" in str(why_not())


def test_without_a_compiler_the_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(LabError, match="needs gcc"):
        compiled(tmp_path)


def test_a_program_that_does_not_compile_shows_the_compilers_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    broken = tmp_path / "broken.c"
    broken.write_text("int main(void) { return nothing; }")
    monkeypatch.setattr("bench.lab.wan_link.SOURCE", broken)
    with pytest.raises(LabError, match="nothing"):
        compiled(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.c"]
