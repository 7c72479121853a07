from p2pdist.shared.manifest.facts import FACTS
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    INVENTORY_FACTS,
    NOTHING,
    PACKAGES_TOLD,
    Changes,
    Inventory,
    PackagesTold,
    applied,
    difference,
    digest_of,
    packages_told,
)
from p2pdist.shared.manifest.versions import Ecosystem

DEB = Ecosystem.DEB


def test_the_digest_of_a_known_inventory_is_the_same_in_every_release() -> None:
    # what PCs and servers of two releases compare: another encoding is another protocol
    inventory = Inventory(
        {"os.id": "debian", "os.build": 0, "on_mains": True, "tags": ("lab", "two words")},
        {(DEB, "openssl"): "3.0.17-1~deb12u2", (Ecosystem.RPM, "openssl"): "1:3.0.7-27.el9"},
    )
    assert digest_of(inventory).hex() == "8cecefbb35dd8bfdef2ca8312ccbc64cd20d66387e8f13b4850edd5e3b9e942b"
    assert digest_of(NOTHING) == EMPTY_DIGEST


def test_items_that_read_alike_when_joined_differ() -> None:
    assert digest_of(Inventory({"a": "b c"})) != digest_of(Inventory({"a b": "c"}))
    assert digest_of(Inventory({"a": ("b c",)})) != digest_of(Inventory({"a": ("b", "c")}))
    assert digest_of(Inventory({"a": 1})) != digest_of(Inventory({"a": True}))
    assert digest_of(Inventory({"a": 1})) != digest_of(Inventory({"a": "1"}))
    assert digest_of(Inventory({"deb": "x"})) != digest_of(Inventory({}, {(DEB, "deb"): "x"}))


def test_what_is_named_as_gone_and_with_a_value_has_the_value() -> None:
    changes = Changes({"arch": "arm64"}, frozenset({"arch"}), {(DEB, "vim"): "2"}, frozenset({(DEB, "vim")}))
    assert applied(Inventory({"arch": "amd64"}, {(DEB, "vim"): "1"}), changes) == Inventory(
        {"arch": "arm64"}, {(DEB, "vim"): "2"}
    )


def test_a_change_names_only_what_is_different() -> None:
    before = Inventory({"arch": "amd64", "os.build": 0}, {(DEB, "vim"): "1", (DEB, "bash"): "5", (DEB, "old"): "1"})
    after = Inventory({"arch": "amd64"}, {(DEB, "vim"): "2", (DEB, "bash"): "5", (DEB, "new"): "1"})
    assert difference(before, after) == Changes(
        {}, frozenset({"os.build"}), {(DEB, "vim"): "2", (DEB, "new"): "1"}, frozenset({(DEB, "old")})
    )


def test_whether_an_absent_package_is_known_to_be_absent_is_told_as_a_fact() -> None:
    assert packages_told({PACKAGES_TOLD: "all"}) is PackagesTold.ALL
    assert packages_told({PACKAGES_TOLD: "withheld"}) is PackagesTold.WITHHELD
    assert packages_told({}) is None
    assert packages_told({PACKAGES_TOLD: "of a newer release"}) is None


def test_what_changes_all_the_time_or_the_server_knows_better_is_not_told() -> None:
    assert frozenset(FACTS) - INVENTORY_FACTS == {"site", "tags", "on_mains", "battery_percent"}
