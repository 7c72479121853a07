"""`seed_server.signing.bins`: what is delegated, and where each target is listed, are the same."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import DelegatedRole, Metadata, TargetFile, Targets

from p2pdist.shared.manifest.documents import encode_manifest
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PART_TARGETS, part_target
from seed_server.signing import bins
from seed_server.signing.metadata import CurrentMetadata, first_versions, public_key
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES
from tests.helpers.old_repository import manifest_of, torrent_of

TARGETS = [
    *(f"patches/{patch_id}@1.{n}.manifest" for n in range(100) for patch_id in ("office", "order", "order-00", "a")),
    *(f"torrents/{n:02x}{'0' * 62}.torrent" for n in range(256)),
    ORDER_TARGET,
    *PART_TARGETS,
]


def undivided() -> CurrentMetadata:
    return first_versions({name: Ed25519PrivateKey.generate() for name in (*OFFLINE_KEYS, *ONLINE_ROLES)})


def entry(name: str, data: bytes) -> TargetFile:
    return TargetFile.from_data(name, data, ["sha256"])


def read(_name: str, _entry: TargetFile) -> bytes:
    raise AssertionError("nothing is to be read")


@pytest.mark.parametrize("target", TARGETS)
def test_a_pc_walks_to_the_role_that_lists_a_target(target: str) -> None:
    key = public_key(Ed25519PrivateKey.generate())
    granted = DelegatedRole("patches", [key.keyid], 1, terminating=True, paths=["patches/*"])
    walked = list(bins.delegations(granted, {key.keyid: key}).get_roles_for_target(target))
    assert walked[0] == (bins.role_listing(target), True)


def test_a_look_for_templates_ends_at_what_every_pc_needs_anyway() -> None:
    key = public_key(Ed25519PrivateKey.generate())
    granted = DelegatedRole("patches", [key.keyid], 1, terminating=True, paths=["templates/*"])
    (walked, *_) = bins.delegations(granted, {key.keyid: key}).get_roles_for_target("templates/")
    assert walked == (bins.ORDER_ROLE, True)
    assert bins.role_listing("templates/december") == "patches", "where PCs of every release look by the role's name"


def test_bins_are_filled_evenly() -> None:
    counts: dict[str, int] = {}
    for number in range(4_000):
        role = bins.role_listing(f"patches/kb50{number}@1.manifest")
        counts[role] = counts.get(role, 0) + 1
    assert len(counts) == bins.MANIFEST_BINS
    assert max(counts.values()) < 1.4 * 4_000 / bins.MANIFEST_BINS


def test_a_role_is_divided_once_and_lists_the_same_as_before() -> None:
    targets = undivided().targets
    manifest = manifest_of("office", "1")
    digest = manifest.payloads[0].torrent_hash
    content = {
        "patches/office@1.manifest": encode_manifest(manifest),
        f"torrents/{digest}.torrent": torrent_of(manifest),
    }
    patches = targets["patches"].signed.targets
    patches |= {name: entry(name, data) for name, data in content.items()}
    patches["templates/t"] = entry("templates/t", b"questions")
    before = bins.listed(targets)
    assert bins.divide(targets, lambda name, _entry: content[name]) == bins.PATCHES_FAMILY
    after = bins.listed(targets)
    assert after.keys() == before.keys()
    assert all(bins.same_content(before[name], after[name]) for name in before)
    assert list(patches) == ["templates/t"]
    assert bins.divide(targets, read) == set()
    named = after["patches/office@1.manifest"]
    assert named.custom == {"torrents": {digest[:8]: [1_600, after[f"torrents/{digest}.torrent"].hashes["sha256"]]}}
    assert bins.names_its_torrents(named, after)
    assert not bins.names_its_torrents(named, before | {f"torrents/{digest}.torrent": entry("x", b"other")})
    assert not bins.names_its_torrents(named, {})


def test_other_keys_are_delegated_to_every_bin_and_all_are_signed_anew() -> None:
    targets = undivided().targets
    bins.divide(targets, read)
    key = public_key(Ed25519PrivateKey.generate())
    targets["targets"].signed.add_key(key, "patches")
    assert targets["targets"].signed.delegations is not None
    assert bins.divide(targets, read) == bins.PATCHES_FAMILY
    delegated = targets["patches"].signed.delegations
    assert delegated is not None
    assert delegated.roles is not None
    assert all(key.keyid in role.keyids for role in delegated.roles.values())


def test_a_role_that_lists_what_another_should_is_refused() -> None:
    targets = undivided().targets
    bins.divide(targets, read)
    name = "patches/office@1.manifest"
    other = next(
        role for role in bins.DIVIDED_ROLES if role.startswith("manifests") and role != bins.role_listing(name)
    )
    for role in (other, "patches"):
        wrong = {**targets, role: Metadata(Targets(targets={name: entry(name, b"x")}))}
        wrong[role].signed.delegations = targets[role].signed.delegations
        with pytest.raises(ValueError, match=f"{role} lists what another role should"):
            bins.listed(wrong)


def test_the_same_keys_sign_all_of_it() -> None:
    assert {bins.key_of(role) for role in bins.PATCHES_FAMILY} == {"patches"}
    assert (bins.key_of("targets"), bins.key_of("profiles")) == ("root", "profiles")
    assert bins.delegator_of("patches") == bins.delegator_of("profiles") == "targets"
    assert bins.delegator_of("order") == "patches"


def test_parts_of_the_order_are_as_many_as_are_listed() -> None:
    assert {part_target(f"kb{number}") for number in range(2_000)} == set(PART_TARGETS)
