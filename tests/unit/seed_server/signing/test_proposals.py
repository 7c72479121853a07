"""`seed_server.signing.proposals`: what is proposed, signed elsewhere, and then in force."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.bundle import Bundle, RoleSignature
from seed_server.signing.bundle_check import check_bundle
from seed_server.signing.key_files import create_signing_key, key_path
from seed_server.signing.metadata import public_key
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.proposals import KeyChange, Preparation
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES
from tests.helpers.old_repository import manifest_of, publish_as_release_0_2_0

NOW = 1_900_000_000.0
DAY = 86_400.0
SETTINGS = ServerSettings(name="hq", address="127.0.0.1")
PREPARATION = Preparation("try", "ann", NOW)


class Bench:
    """A repository with its keys, which are used for signing elsewhere alone."""

    def __init__(self, directory: Path) -> None:
        self.home = ServerHome(directory / "home")
        self.keys = {name: create_signing_key(key_path(directory / "safe", name), None) for name in OFFLINE_KEYS}
        online = {name: create_signing_key(key_path(self.home.online_keys, name), None) for name in ONLINE_ROLES}
        self.repository = Repository.create(self.home, SETTINGS, {**self.keys, **online}, NOW)
        self.root = self.repository.trusted_root().encode()

    def signatures(self, bundle: Bundle, *roles: str, now: float = NOW) -> tuple[RoleSignature, ...]:
        keys = {name: key for name, key in self.keys.items() if not roles or name in roles}
        return check_bundle(bundle, self.root, now).sign(keys).signatures

    def finish(self, bundle: Bundle, signatures: Iterable[RoleSignature], now: float = NOW) -> int:
        return self.repository.proposals().finish(bundle, tuple(signatures), None, now)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_document_is_in_force_once_it_is_signed(bench: Bench) -> None:
    proposals, before = bench.repository.proposals(), bench.repository.timestamp_version()
    bundle = proposals.propose_documents(PREPARATION, "patches", {"templates/t": b"questions"})
    assert (bench.repository.templates(), bench.repository.timestamp_version()) == ({}, before)
    assert bench.finish(bundle, bench.signatures(bundle)) == before + 1
    assert bench.repository.templates() == {"templates/t": b"questions"}
    removal = proposals.propose_documents(PREPARATION, "patches", {"templates/t": None})
    bench.finish(removal, bench.signatures(removal))
    assert Repository.open(bench.home, SETTINGS).templates() == {}


def test_a_renewal_needs_no_key_here_and_changes_no_content(bench: Bench) -> None:
    proposals = bench.repository.proposals()
    bundle = proposals.propose_documents(PREPARATION, "profiles", {"profiles/p": b"profile"})
    bench.finish(bundle, bench.signatures(bundle))
    later = NOW + 60 * DAY
    renewal = proposals.propose_renewal(Preparation("renew", "ann", later))
    bench.finish(renewal, bench.signatures(renewal, now=later), later)
    expiries = {expiry.role: expiry.expires_at for expiry in bench.repository.expiries()}
    days = {role: round((expiries[role] - later) / DAY) for role in ("root", "targets", "patches", "profiles")}
    assert days == {"root": 365, "targets": 365, "patches": 90, "profiles": 90}
    assert bench.repository.profiles() == {"profiles/p": b"profile"}
    assert (bench.home.tuf_metadata / "2.root.json").exists()


def test_a_signer_who_trusts_the_first_root_walks_to_the_newest(bench: Bench) -> None:
    proposals = bench.repository.proposals()
    renewals = []
    for _ in range(3):
        renewals.append(proposals.propose_renewal(PREPARATION))
        bench.finish(renewals[-1], bench.signatures(renewals[-1]))
    bundle = proposals.propose_documents(PREPARATION, "patches", {"templates/t": b"q"})
    checked = check_bundle(bundle, bench.root, NOW)
    assert checked.root == bundle.roots[3]
    with pytest.raises(UserError, match="its root is older"):
        check_bundle(renewals[0], checked.root, NOW)
    assert check_bundle(bundle, bundle.roots[2], NOW).root == checked.root


def test_every_role_of_a_renewal_must_be_signed(bench: Bench) -> None:
    renewal = bench.repository.proposals().propose_renewal(PREPARATION)
    with pytest.raises(UserError, match="profiles: 0 of 1 signatures, 1 missing") as caught:
        bench.finish(renewal, bench.signatures(renewal, "root", "patches"))
    assert caught.value.kind is FaultKind.REFUSED
    assert not (bench.home.tuf_metadata / "2.root.json").exists()


def test_what_has_changed_since_is_never_finished(bench: Bench) -> None:
    proposals = bench.repository.proposals()
    bundle = proposals.propose_documents(PREPARATION, "patches", {"templates/t": b"q"})
    signatures = bench.signatures(bundle)
    assert not proposals.is_outdated(bundle)
    bench.repository.change_document("profiles", "profiles/p", b"p", key=bench.keys["profiles"], now=NOW)
    assert not proposals.is_outdated(bundle), "another role does not matter"
    bench.repository.change_document("patches", "templates/u", b"u", key=bench.keys["patches"], now=NOW)
    assert proposals.is_outdated(bundle)
    with pytest.raises(UserError, match="older state of patches, which has changed since"):
        bench.finish(bundle, signatures)
    assert bench.repository.templates() == {"templates/u": b"u"}


def test_what_has_expired_since_is_not_finished(bench: Bench) -> None:
    bundle = bench.repository.proposals().propose_documents(PREPARATION, "patches", {"templates/t": b"q"})
    signatures = bench.signatures(bundle)
    with pytest.raises(UserError, match="has expired since"):
        bench.finish(bundle, signatures, NOW + 91 * DAY)


class TestKeys:
    def change(self, bench: Bench, change: KeyChange, *others: Ed25519PrivateKey) -> None:
        bundle = bench.repository.proposals().propose_keys(PREPARATION, change)
        signatures = list(bench.signatures(bundle))
        for other in others:
            signatures += check_bundle(bundle, bench.root, NOW).sign({change.role: other}).signatures
        bench.finish(bundle, signatures)

    def patches(self, bench: Bench) -> tuple[int, tuple[str, ...]]:
        (found,) = (one for one in bench.repository.proposals().role_keys() if one.role == "patches")
        return found.threshold, found.keyids

    def test_a_second_key_and_a_threshold_come_and_go(self, bench: Bench) -> None:
        first, bob = public_key(bench.keys["patches"]).keyid, Ed25519PrivateKey.generate()
        second = public_key(bob).keyid
        with pytest.raises(UserError, match="patches: 1 of 2 signatures, 1 missing"):
            self.change(bench, KeyChange("patches", add=(bob.public_key(),), threshold=2))
        assert self.patches(bench) == (1, (first,))
        self.change(bench, KeyChange("patches", add=(bob.public_key(),), threshold=2), bob)
        assert self.patches(bench) == (2, (first, second))
        with pytest.raises(UserError, match="only with 2 signatures"):
            bench.repository.change_document("patches", "templates/t", b"q", key=bob, now=NOW)
        self.change(bench, KeyChange("patches", remove=(first[:8],), threshold=1), bob)
        assert self.patches(bench) == (1, (second,))
        with pytest.raises(UserError, match="not the one that this repository trusts"):
            bench.repository.change_document("patches", "templates/t", b"q", key=bench.keys["patches"], now=NOW)
        bench.repository.change_document("patches", "templates/t", b"q", key=bob, now=NOW)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (KeyChange("patches", threshold=2), "would have 1 keys and need 2 signatures"),
            (KeyChange("patches", remove=("0" * 8,)), "names no single key"),
            (KeyChange("patches", remove=("",)), "names no single key"),
        ],
    )
    def test_a_role_that_nobody_could_sign(self, bench: Bench, change: KeyChange, words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            bench.repository.proposals().propose_keys(PREPARATION, change)
        assert caught.value.kind is FaultKind.BAD_INPUT

    def test_the_last_key_cannot_go(self, bench: Bench) -> None:
        (_, keyids) = self.patches(bench)
        with pytest.raises(UserError, match="would have 0 keys"):
            bench.repository.proposals().propose_keys(PREPARATION, KeyChange("patches", remove=keyids))


def test_prepared_bundles_are_kept_listed_and_dropped(bench: Bench) -> None:
    prepared, proposals = PreparedBundles(bench.home), bench.repository.proposals()
    assert prepared.all() == []
    later, first = (
        proposals.propose_documents(Preparation(name, "ann", NOW + n), "patches", {f"templates/{name}": b"q"})
        for name, n in (("later", 5), ("first", 1))
    )
    prepared.keep(later)
    prepared.keep(first)
    (bench.home.prepared / "x.bundle").write_bytes(b"no bundle")
    assert prepared.all() == [first, later]
    assert prepared.get(first.bundle_id) == first
    prepared.drop(first.bundle_id)
    assert prepared.all() == [later]
    for bundle_id in (first.bundle_id, "0" * 16):
        with pytest.raises(UserError, match="No bundle"):
            prepared.get(bundle_id)
    for bundle_id in ("../../etc/passwd", "", "0" * 17, "G" * 16):
        with pytest.raises(UserError, match="is not the id of a bundle"):
            prepared.get(bundle_id)


def test_a_repository_of_release_0_2_0_is_divided_by_what_is_signed_elsewhere(bench: Bench) -> None:
    manifests = [manifest_of(patch_id, "1") for patch_id in ("office", "vpn")]
    publish_as_release_0_2_0(bench.repository, manifests, bench.keys, NOW)
    bundle = bench.repository.proposals().propose_documents(PREPARATION, "patches", {"templates/t": b"q"})
    (change,) = check_bundle(bundle, bench.root, NOW).changes
    assert (list(change.added), change.removed, change.powers) == (["templates/t"], (), ())
    assert len(change.kept) == 5, "two manifests, two torrents, and the order"
    assert list(bundle.documents) == ["templates/t"]
    bench.finish(bundle, bench.signatures(bundle))
    assert sorted(bench.repository.manifests(), key=lambda one: one.patch_id) == manifests
    assert bench.repository.templates() == {"templates/t": b"q"}
    assert len(list(bench.home.tuf_metadata.glob("*.manifests-*.json"))) == 32
