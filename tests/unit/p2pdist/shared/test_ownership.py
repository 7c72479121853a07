"""`p2pdist.shared.ownership`: who could change a place, by owner and mode, and the command that mends it."""

import os
import re
import stat
from pathlib import Path

import pytest

from p2pdist.shared.ownership import distrust, distrust_posix, others_can_read, untrusted, user_name

ROOT, US, OTHER = 0, 4_000_000_001, 4_000_000_002
PLACE = Path("/opt/the app")


def status(mode: int, owner: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("kind", [stat.S_IFDIR, stat.S_IFREG])
@pytest.mark.parametrize("owner", [ROOT, US])
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o555, 0o4755])
def test_ours_and_the_superuser_s_are_trusted(kind: int, owner: int, mode: int) -> None:
    assert distrust_posix(PLACE, status(kind | mode, owner), US) is None


@pytest.mark.parametrize(
    ("mode", "owner", "words"),
    [
        (stat.S_IFDIR | 0o755, OTHER, f"belongs to {OTHER}, .* then: chown {US} '/opt/the app'"),
        (stat.S_IFREG | 0o700, OTHER, f"belongs to {OTHER}, .* then: chown {US} '/opt/the app'"),
        (stat.S_IFLNK | 0o777, OTHER, f"belongs to {OTHER}, .* then: chown -h {US} '/opt/the app'"),
        (stat.S_IFDIR | 0o775, ROOT, "changed by its group; .* then: chmod go-w '/opt/the app'"),
        (stat.S_IFREG | 0o757, US, "changed by everybody; .* then: chmod go-w '/opt/the app'"),
        (stat.S_IFDIR | 0o1777, ROOT, "everybody may put files into /opt/the app; choose another place"),
    ],
)
def test_others_are_not_and_the_words_mend_it(mode: int, owner: int, words: str) -> None:
    answer = distrust_posix(PLACE, status(mode, owner), US)
    assert answer is not None
    assert re.search(words, answer), answer


def test_a_link_has_no_mode_of_its_own() -> None:
    assert distrust_posix(PLACE, status(stat.S_IFLNK | 0o777, ROOT), US) is None


def test_where_sticky_is_enough_a_directory_like_tmp_will_do_but_none_of_another_user_s() -> None:
    assert distrust_posix(PLACE, status(stat.S_IFDIR | 0o1777, ROOT), US, sticky_is_enough=True) is None
    assert distrust_posix(PLACE, status(stat.S_IFDIR | 0o777, ROOT), US, sticky_is_enough=True) is not None
    assert distrust_posix(PLACE, status(stat.S_IFDIR | 0o1777, OTHER), US, sticky_is_enough=True) is not None


@pytest.mark.skipif(os.name == "nt", reason="owners and modes")
def test_this_user_is_meant(tmp_path: Path) -> None:
    assert distrust(tmp_path, tmp_path.stat()) is None
    tmp_path.chmod(0o777)
    assert "changed by everybody" in (distrust(tmp_path, tmp_path.stat()) or "")
    assert user_name(os.geteuid())
    assert user_name(OTHER) == str(OTHER)


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_what_is_missing_is_nobody_s_and_what_is_open_is_named(tmp_path: Path) -> None:
    place = tmp_path / "key.pem"
    assert (untrusted(place), others_can_read(place)) == (None, False)
    place.touch(0o600)
    assert (untrusted(place), others_can_read(place)) == (None, False)
    place.chmod(0o640)
    assert (untrusted(place), others_can_read(place)) == (None, True)
    place.chmod(0o666)
    assert "may be changed by everybody" in (untrusted(place) or "")
