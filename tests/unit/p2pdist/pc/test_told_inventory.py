from p2pdist.pc.told_inventory import FREE_SPACE, told_inventory, without_packages
from p2pdist.shared.manifest.facts import MAX_PACKAGES, Facts, FactValue, Packages
from p2pdist.shared.manifest.inventory import NOTHING, PACKAGES_TOLD, Inventory, applied, difference
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from p2pdist.shared.wire.inventory import packed, unpacked

DEB, RPM = Ecosystem.DEB, Ecosystem.RPM
VALUES: dict[str, FactValue] = {
    "os.id": "debian", "os.release": parse_version("12", Ecosystem.GENERIC), "os.build": 0, "site": "hq",
    "tags": ("lab",), "on_mains": True, "battery_percent": 50, FREE_SPACE: 1_000,
}  # fmt: skip
ALL = Packages({DEB: {"vim": "2:9.0-1"}, RPM: {"vim": "9.0-1.el9"}}, complete=True)


def told(values: dict[str, FactValue], packages: Packages = ALL, *, tell_packages: bool = True) -> Inventory:
    return told_inventory(Facts(values, packages), {}, tell_packages=tell_packages)


def test_facts_are_told_as_plain_values_and_packages_by_their_ecosystem() -> None:
    assert told(VALUES) == Inventory(
        {"os.id": "debian", "os.release": "12", "os.build": 0, FREE_SPACE: 1_000, PACKAGES_TOLD: "all"},
        {(DEB, "vim"): "2:9.0-1", (RPM, "vim"): "9.0-1.el9"},
    )


def test_packages_that_are_withheld_are_not_told_as_none() -> None:
    withheld = told(VALUES, tell_packages=False)
    assert not withheld.packages
    assert withheld.facts[PACKAGES_TOLD] == "withheld"
    assert withheld.facts["os.id"] == "debian"


def test_of_a_database_that_cannot_be_read_absent_packages_are_unknown() -> None:
    for packages in (Packages(), ALL.incomplete, Packages({DEB: {"vim": "ü"}}, complete=True)):
        assert told(VALUES, packages).facts[PACKAGES_TOLD] == "some"
    assert told(VALUES, ALL.incomplete).packages == told(VALUES).packages


def test_free_space_is_told_again_when_it_is_another_by_a_third() -> None:
    before = {FREE_SPACE: 900}
    for now, said in ((900, 900), (1_200, 900), (1_201, 1_201), (675, 900), (674, 674)):
        facts = Facts({FREE_SPACE: now}, ALL)
        assert told_inventory(facts, before, tell_packages=True).facts[FREE_SPACE] == said


def test_what_no_server_would_take_is_left_out() -> None:
    values: dict[str, FactValue] = {"os.id": "x" * 256, "os.language": "a\nb", "ram_mb": -1, "os.build": 1 << 60}
    assert told(values).facts == {PACKAGES_TOLD: "all"}


def test_more_packages_than_a_pc_may_have_are_some() -> None:
    many = Packages({DEB: {f"p{n}": "1" for n in range(MAX_PACKAGES)}, RPM: {"one": "1"}}, complete=True)
    found = told(VALUES, many)
    assert len(found.packages) == MAX_PACKAGES
    assert found.facts[PACKAGES_TOLD] == "some"
    assert without_packages(found) == Inventory({**found.facts, PACKAGES_TOLD: "some"})


def test_all_that_is_told_is_taken_by_the_wire() -> None:
    inventory = told(VALUES)
    assert applied(NOTHING, unpacked(packed(difference(NOTHING, inventory)))) == inventory
