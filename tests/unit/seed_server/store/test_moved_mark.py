"""`seed_server.store.moved_mark`: a home that was left is not served from."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.home import ServerHome
from seed_server.store.moved_mark import check_not_moved, mark_moved, moved_to, take_back


def test_who_has_moved_does_not_serve_until_it_is_taken_back(tmp_path: Path) -> None:
    home = ServerHome(tmp_path)
    check_not_moved(home)
    assert not take_back(home)
    mark_moved(home, "to hq, ports 1 and 2, on 2026-11-29")
    assert moved_to(home) == "to hq, ports 1 and 2, on 2026-11-29"
    with pytest.raises(UserError, match="to hq, ports 1 and 2") as caught:
        check_not_moved(home)
    assert caught.value.kind is FaultKind.REFUSED
    assert take_back(home)
    check_not_moved(home)


@pytest.mark.parametrize("content", [b"", b"to \x1b[2Jhq"])
def test_the_file_alone_says_so_whatever_is_in_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "moved").write_bytes(content)
    assert "\x1b" not in moved_to(ServerHome(tmp_path))
    with pytest.raises(UserError):
        check_not_moved(ServerHome(tmp_path))


@pytest.mark.parametrize("content", [b"\xff", bytes(5_000)])
def test_one_that_cannot_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "moved").write_bytes(content)
    with pytest.raises(UserError) as caught:
        moved_to(ServerHome(tmp_path))
    assert caught.value.kind is FaultKind.STORAGE
