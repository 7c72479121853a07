"""Sites of files and sites that stay become one map."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.toml_config import TomlFileError, parse_toml
from seed_server.automation.apply_changes import ValueChange
from seed_server.automation.apply_sites import SITE_ORDER, merged, site_changes
from seed_server.line.site_map import SiteEntry, SitesFile


def site(name: str, *networks: str, mbit: float | None = None) -> SiteEntry:
    return SiteEntry(name, list(networks) or [f"10.{ord(name[0])}.0.0/16"], line_mbit=mbit)


A, B, C, D = map(site, "abcd")


def named(entries: list[SiteEntry]) -> str:
    return "".join(entry.name for entry in entries)


def test_what_stays_keeps_its_place_and_what_is_new_follows_its_neighbour() -> None:
    assert named(merged([B], [A, B], prune=False)) == "ab"
    assert named(merged([D, B, C], [A, B], prune=False)) == "dabc"
    assert named(merged([A, C, B], [A, B], prune=False)) == "acb"
    assert named(merged([C], [A, B], prune=False)) == "cab"
    assert named(merged([B, A], [A, C, B], prune=False)) == "bac"
    assert named(merged([B], [A, B, C], prune=True)) == "b"


orders = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(orders, orders)
def test_a_merged_map_has_all_sites_in_the_files_order_and_is_merged_once(files: list[str], there: list[str]) -> None:
    whole = merged(list(map(site, files)), list(map(site, there)), prune=False)
    assert sorted(named(whole)) == sorted({*files, *there})
    assert [name for name in named(whole) if name in files] == files
    assert merged(list(map(site, files)), whole, prune=False) == whole


def test_changes_are_told_by_their_keys() -> None:
    text = '# ours\n[[site]]\nname = "a"\nnetworks = ["10.97.0.0/16"]\nline_mbit = 50.0\n'
    changes, written = site_changes([site("a", mbit=50.0)], text, [A], prune=False)
    (change,) = changes
    assert (change.kind, change.name, change.action) == ("site", "a", "change")
    assert change.keys == (ValueChange("line_mbit", "", "50.0"),)
    assert written == text  # with its comment
    changes, written = site_changes([B], "…", [A], prune=False)
    assert [(str(one), one.action) for one in changes] == [("site b", "add")]
    assert parse_toml(written, SitesFile, source="s").site == [B, A]
    changes, written = site_changes([B], "text of b", [A], prune=True)
    assert [(str(one), one.action) for one in changes] == [("site b", "add"), ("site a", "remove")]
    assert written == "text of b"
    assert site_changes([A, B], "text", [A, B], prune=False)[0] == []


def test_another_order_is_a_change() -> None:
    changes, _ = site_changes([B, A], "text", [A, B], prune=False)
    (change,) = changes
    assert (change.name, change.keys) == (SITE_ORDER, (ValueChange("order", "a", "b"),))


def test_sites_that_do_not_go_together_with_those_that_stay_are_refused() -> None:
    wide, inner = site("b", "10.1.0.0/16"), site("a", "10.1.1.0/24")
    with pytest.raises(TomlFileError, match=r"sites.toml, with the sites that stay, line \d+.*lies in"):
        site_changes([wide], "…", [inner], prune=False)
    assert site_changes([wide], "…", [inner], prune=True)[1] == "…"
