"""`p2pdist.shared.private_directory`; other users' directories are in `tests/adversary/test_private_home.py`."""

import os
import stat
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.private_directory import keep_private, make_private

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners and modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_it_is_made_for_this_user_alone_and_its_parents_for_all_to_read(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_private(tmp_path / "a/b/home")
        make_private(tmp_path / "a/b/home")
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/home")] == [0o755, 0o755, 0o700]


def test_a_relative_path_and_a_link_of_ours_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_private(Path("home"))
    (tmp_path / "link").symlink_to("home")
    (tmp_path / "home").chmod(0o755)
    keep_private(Path("link"))
    assert mode(tmp_path / "home") == 0o700


def test_what_is_missing_is_not_made_by_keeping_it(tmp_path: Path) -> None:
    keep_private(tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("open_to", [0o777, 0o770, 0o1777, 0o702])
def test_one_that_others_could_fill_is_refused_and_left_as_it_is(tmp_path: Path, open_to: int) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(open_to)
    for use in (make_private, keep_private):
        with pytest.raises(UserError, match=f"{tmp_path}/home cannot be used: .*(chmod go-w|choose)") as error:
            use(tmp_path / "home")
        assert error.value.kind is FaultKind.REFUSED
    assert mode(tmp_path / "home") == open_to


def test_a_file_in_its_place_and_a_parent_that_refuses_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/home"):
        with pytest.raises(UserError, match="Cannot write to .*: Not a directory. Check that path") as error:
            make_private(path)
        assert error.value.kind is FaultKind.STORAGE
