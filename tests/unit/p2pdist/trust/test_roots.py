"""Roots outside of a refresh: what is one, and what follows from one."""

from types import ModuleType
from typing import Any

import pytest

from p2pdist.trust.errors import TrustError
from p2pdist.trust.floor import VerifiedMetadata
from p2pdist.trust.roots import (
    MAX_ROOT_BYTES,
    check_root,
    check_successors,
    newest_root,
    root_pin,
    root_version,
    trusts_targets,
)


@pytest.fixture
def repository(tuf_simulator: ModuleType) -> Any:
    return tuf_simulator.RepositorySimulator()


def root(repository: Any, version: int) -> bytes:
    data: bytes = repository.files[f"/tuf/metadata/{version}.root.json"]
    return data


def unusable(*arguments: Any) -> str:
    with pytest.raises(TrustError) as caught:
        check_successors(*arguments)
    assert caught.value.reason == "malformed"
    return caught.value.message


def test_a_trust_root_is_checked_before_it_is_kept(repository: Any) -> None:
    check_root(repository.first_root)
    tampered = repository.first_root.replace(b'"version":1}', b'"version":2}')
    timestamp = repository.files["/tuf/metadata/timestamp.json"]
    for bad in (b"", b"{}", b"\xff", tampered, timestamp, b" " * (MAX_ROOT_BYTES + 1)):
        assert bad != repository.first_root
        with pytest.raises(TrustError) as caught:
            check_root(bad)
        assert caught.value.reason == "malformed"


def test_a_pin_is_of_every_byte(repository: Any) -> None:
    assert root_pin(repository.first_root) != root_pin(repository.first_root + b" ")
    assert len(root_pin(repository.first_root)) == 32


def test_a_chain_of_rotations_is_followed(repository: Any) -> None:
    repository.rotate("root")
    repository.rotate("root", "timestamp")
    check_successors(root(repository, 1), [root(repository, 2), root(repository, 3)])
    check_successors(root(repository, 3), [])
    assert root_version(root(repository, 3)) == 3


def test_another_repository_s_root_follows_from_nothing(tuf_simulator: ModuleType, repository: Any) -> None:
    other = tuf_simulator.RepositorySimulator()
    other.rotate("root")
    assert "signed" in unusable(repository.first_root, [root(other, 2)])


def test_a_version_that_is_left_out_or_told_again_is_refused(repository: Any) -> None:
    repository.rotate("timestamp")
    repository.rotate("timestamp")
    assert "does not follow" in unusable(root(repository, 1), [root(repository, 3)])
    assert "does not follow" in unusable(root(repository, 2), [root(repository, 1)])


def test_the_newest_root_is_so_by_number() -> None:
    assert newest_root(VerifiedMetadata(roots={"9": b"nine", "10": b"ten"}), b"enrolled") == b"ten"
    assert newest_root(VerifiedMetadata(), b"enrolled") == b"enrolled"


def test_a_root_trusts_what_enough_of_its_keys_for_targets_have_signed(
    tuf_simulator: ModuleType, repository: Any
) -> None:
    targets = repository.files["/tuf/metadata/1.targets.json"]
    assert trusts_targets(repository.first_root, targets)
    assert not trusts_targets(tuf_simulator.RepositorySimulator().first_root, targets)
    for bad in (b"", b"{}", repository.files["/tuf/metadata/1.patches.json"]):
        assert not trusts_targets(repository.first_root, bad)
