"""`p2pdist.shared.manifest.facts`: installed packages, read when they are asked for."""

import pytest

from p2pdist.shared.manifest.facts import Packages
from p2pdist.shared.manifest.versions import Ecosystem


def test_the_first_ecosystem_counts_and_what_nobody_can_read_is_not_there() -> None:
    packages = Packages({Ecosystem.DEB: {"a": "1:1", "b": "?"}, Ecosystem.RPM: {"a": "2", "b": "3", "c": "4-1"}})
    assert {name: (version.ecosystem, str(version)) for name, version in packages.items()} == {
        "a": (Ecosystem.DEB, "1:1"),
        "b": (Ecosystem.RPM, "3"),
        "c": (Ecosystem.RPM, "4-1"),
    }
    assert len(packages) == 3
    unreadable = Packages({Ecosystem.WINDOWS: {"x": "none", "y": "2b"}})
    assert list(unreadable) == ["y"]
    assert unreadable["y"].ecosystem is Ecosystem.GENERIC
    with pytest.raises(KeyError):
        unreadable["x"]


def test_they_are_equal_by_their_texts() -> None:
    assert Packages({Ecosystem.DEB: {"a": "1.0"}}) == Packages({Ecosystem.DEB: {"a": "1.0"}})
    assert Packages({Ecosystem.DEB: {"a": "1.0"}}) != Packages({Ecosystem.DEB: {"a": "1.1"}})
    assert Packages() == {}
