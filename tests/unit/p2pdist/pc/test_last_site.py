"""`p2pdist.pc.last_site`: the site of the last run."""

from pathlib import Path

import pytest

from p2pdist.pc.last_site import load_site, save_site
from p2pdist.shared.identifiers import SiteName


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state" / "site"
    assert load_site(path) == ""
    save_site(path, SiteName("auto-192.0.2.0/24"))
    assert load_site(path) == "auto-192.0.2.0/24"


@pytest.mark.parametrize("content", [b"", b"\xff", b"a b", b"x" * 5_000])
def test_what_is_no_site_is_not_known(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site"
    path.write_bytes(content)
    assert load_site(path) == ""


def test_a_disk_that_takes_nothing_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    save_site(tmp_path / "state" / "site", SiteName("oslo"))
    assert load_site(tmp_path / "state" / "site") == ""
