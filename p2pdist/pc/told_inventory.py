"""What a PC tells its server of itself, out of all that it knows of itself. Pure."""

from collections.abc import Mapping

from p2pdist.shared.manifest.expression import PACKAGE_NAME
from p2pdist.shared.manifest.facts import MAX_PACKAGES, Facts, FactValue, Packages
from p2pdist.shared.manifest.inventory import (
    INVENTORY_FACTS,
    PACKAGES_TOLD,
    Inventory,
    InventoryFact,
    PackageName,
    PackagesTold,
)
from p2pdist.shared.manifest.ring_facts import MAX_FACT_NUMBER, MAX_TOLD_FACT_CHARS
from p2pdist.shared.manifest.versions import MAX_VERSION_CHARS, Version

FREE_SPACE = "disk.free_mb"
FREE_SPACE_STEP = 4 / 3  # less of a change is no news


def told_inventory(facts: Facts, before: Mapping[str, InventoryFact], *, tell_packages: bool) -> Inventory:
    """Return what is told of ``facts`` where the facts ``before`` were told last.

    ``tell_packages``: whether whoever administers this PC lets it tell which packages it has.
    """
    values: dict[str, InventoryFact] = {}
    for name in sorted(INVENTORY_FACTS & facts.values.keys()):
        if (value := _told(facts.values[name])) is not None:
            values[name] = value
    _keep_free_space(values, before)
    if not tell_packages:
        return Inventory(values | {PACKAGES_TOLD: PackagesTold.WITHHELD.value})
    packages, whole = _packages(facts.packages)
    return Inventory(values | {PACKAGES_TOLD: (PackagesTold.ALL if whole else PackagesTold.SOME).value}, packages)


def without_packages(inventory: Inventory) -> Inventory:
    """Return what is told where the packages are too much to tell."""
    return Inventory({**inventory.facts, PACKAGES_TOLD: PackagesTold.SOME.value})


def _told(value: FactValue) -> InventoryFact | None:
    if isinstance(value, Version):
        value = value.text
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if 0 <= value <= MAX_FACT_NUMBER else None
    if isinstance(value, str):
        return value if len(value) <= MAX_TOLD_FACT_CHARS and value.isprintable() else None
    return None  # lists are of the enrolment, which the server has


def _keep_free_space(values: dict[str, InventoryFact], before: Mapping[str, InventoryFact]) -> None:
    now, told = values.get(FREE_SPACE), before.get(FREE_SPACE)
    if isinstance(now, int) and isinstance(told, int) and told / FREE_SPACE_STEP <= now <= told * FREE_SPACE_STEP:
        values[FREE_SPACE] = told


def _packages(packages: Mapping[str, Version]) -> tuple[dict[PackageName, str], bool]:
    """Return those that can be told, and whether they are all that there are."""
    if not isinstance(packages, Packages):
        return {}, False
    told: dict[PackageName, str] = {}
    whole = packages.complete
    for ecosystem, name, version in packages.texts():
        if len(told) >= MAX_PACKAGES:
            return told, False
        sound = version.isascii() and version.isprintable() and 0 < len(version) <= MAX_VERSION_CHARS
        if sound and PACKAGE_NAME.fullmatch(name):
            told[ecosystem, name] = version
        else:
            whole = False
    return told, whole
