import random
import string
from pathlib import Path

import pytest

from p2pdist.pc.kept_inventories import ToldInventories
from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    PACKAGES_TOLD,
    Changes,
    Inventory,
    applied,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.inventory import MAX_TOLD_BYTES, unpacked

DEB = Ecosystem.DEB
FIRST = Inventory({"os.id": "debian"}, {(DEB, "vim"): "1", (DEB, "bash"): "5"})
SECOND = Inventory({"os.id": "debian"}, {(DEB, "vim"): "2", (DEB, "bash"): "5"})
THIRD = Inventory({"os.id": "debian"}, {(DEB, "vim"): "3"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "inventory"


def test_a_server_that_has_nothing_is_told_all(path: Path) -> None:
    telling = ToldInventories(path).tell(FIRST, EMPTY_DIGEST)
    assert (telling.base, telling.digest) == (EMPTY_DIGEST, digest_of(FIRST))
    assert applied(NOTHING, unpacked(telling.data)) == FIRST
    assert ToldInventories(path).newest_facts() == FIRST.facts


def test_after_a_restart_too_only_changes_are_told(path: Path) -> None:
    ToldInventories(path).tell(FIRST, EMPTY_DIGEST)
    telling = ToldInventories(path).tell(SECOND, digest_of(FIRST))
    assert (telling.base, telling.digest) == (digest_of(FIRST), digest_of(SECOND))
    assert unpacked(telling.data) == Changes(packages={(DEB, "vim"): "2"})


@pytest.mark.parametrize("recorded", [FIRST, SECOND])
def test_whether_the_last_was_recorded_or_lost_changes_are_told(path: Path, recorded: Inventory) -> None:
    kept = ToldInventories(path)
    kept.tell(FIRST, EMPTY_DIGEST)
    kept.tell(SECOND, digest_of(FIRST))
    telling = kept.tell(THIRD, digest_of(recorded))
    assert telling.base == digest_of(recorded)
    assert applied(recorded, unpacked(telling.data)) == THIRD


@pytest.mark.parametrize("spoilt", [None, b"", b"\xff", b"x" * (3 << 20)])
def test_what_is_not_known_any_more_is_told_anew(path: Path, spoilt: bytes | None) -> None:
    ToldInventories(path).tell(FIRST, EMPTY_DIGEST)
    if spoilt is None:
        path.unlink()
    else:
        path.write_bytes(spoilt)
    telling = ToldInventories(path).tell(SECOND, digest_of(FIRST))
    assert telling.base == EMPTY_DIGEST
    assert applied(NOTHING, unpacked(telling.data)) == SECOND


def test_what_cannot_be_kept_is_told_all_the_same(path: Path) -> None:
    path.parent.write_bytes(b"no directory")
    telling = ToldInventories(path).tell(FIRST, EMPTY_DIGEST)
    assert applied(NOTHING, unpacked(telling.data)) == FIRST


def test_of_packages_that_are_too_much_to_tell_none_is_told_as_absent(path: Path) -> None:
    chance = random.Random(1)
    versions = ("".join(chance.choices(string.ascii_letters, k=100)) for _ in range(MAX_PACKAGES))
    much = Inventory({PACKAGES_TOLD: "all"}, {(DEB, f"p{n}"): version for n, version in enumerate(versions)})
    telling = ToldInventories(path).tell(much, EMPTY_DIGEST)
    assert len(telling.data) <= MAX_TOLD_BYTES
    assert applied(NOTHING, unpacked(telling.data)) == Inventory({PACKAGES_TOLD: "some"})
