"""Which trust root an enrolment may bring: the pinned one, and after another one only what follows from it."""

from types import ModuleType
from typing import Any, cast

import pytest

from p2pdist.identity import trust_root
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.trust.http_answers import HttpGet
from p2pdist.trust.roots import MAX_ROOT_BYTES, root_pin
from p2pdist.trust.store import TrustError


@pytest.fixture
def repository(tuf_simulator: ModuleType) -> Any:
    """Return a repository with roots 1 to 4, which stands in for the HTTPS client too."""
    simulator = tuf_simulator.RepositorySimulator()
    for names in (("root",), ("timestamp",), ("root", "snapshot")):
        simulator.rotate(*names)
    return simulator


def root(repository: Any, version: int) -> bytes:
    data: bytes = repository.files[f"/tuf/metadata/{version}.root.json"]
    return data


async def kept(tuf_simulator: ModuleType, repository: Any, stored: bytes, offered: bytes) -> bytes:
    client = cast("HttpGet", repository)
    return await trust_root.successor_or_same(client, tuf_simulator.BASE_URL, stored, offered, "hq:8443")


def refused(caught: pytest.ExceptionInfo[UserError], *words: str) -> None:
    assert caught.value.kind == FaultKind.REFUSED
    for word in words:
        assert word in caught.value.message


def test_the_pin_is_the_token_s_and_a_pin_of_this_pc_must_be_the_same() -> None:
    ours, other = bytes(32), bytes([1] * 32)
    assert trust_root.agreed_pin(ours, None) == ours
    assert trust_root.agreed_pin(ours, ours) == ours
    with pytest.raises(UserError) as caught:
        trust_root.agreed_pin(ours, other)
    refused(caught, ours.hex(), other.hex())


def test_the_offered_root_has_the_pin_or_is_refused_with_its_own(repository: Any) -> None:
    offered = root(repository, 1)
    trust_root.check_pinned(offered, root_pin(offered), "hq:8443")
    with pytest.raises(UserError) as caught:
        trust_root.check_pinned(offered, bytes(32), "hq:8443")
    refused(caught, "hq:8443", root_pin(offered).hex())


def test_what_is_no_root_is_refused_though_it_has_the_pin() -> None:
    with pytest.raises(TrustError):
        trust_root.check_pinned(b"{}", root_pin(b"{}"), "hq:8443")


async def test_the_same_root_needs_no_other(tuf_simulator: ModuleType, repository: Any) -> None:
    assert await kept(tuf_simulator, repository, root(repository, 1), root(repository, 1)) == root(repository, 1)
    assert repository.requests == []


@pytest.mark.parametrize("newer", [2, 3, 4])
async def test_a_root_that_follows_leaves_the_stored_one(
    tuf_simulator: ModuleType, repository: Any, newer: int
) -> None:
    assert await kept(tuf_simulator, repository, root(repository, 1), root(repository, newer)) == root(repository, 1)
    assert repository.requests == [f"/tuf/metadata/{version}.root.json" for version in range(2, newer)]


@pytest.mark.parametrize("attack", ["older", "another repository", "another in between", "missing", "far ahead"])
async def test_a_root_that_does_not_follow_is_refused(tuf_simulator: ModuleType, repository: Any, attack: str) -> None:
    stored, offered = root(repository, 1), root(repository, 4)
    other = tuf_simulator.RepositorySimulator()
    other.rotate("root")
    if attack == "older":
        stored, offered = root(repository, 2), root(repository, 1)
    elif attack == "another repository":
        offered = root(other, 2)
    elif attack == "another in between":
        repository.files["/tuf/metadata/2.root.json"] = root(other, 2)
    elif attack == "missing":
        del repository.files["/tuf/metadata/3.root.json"]
    else:
        repository.root.signed.version = trust_root.MAX_ROOT_STEPS + 2
        repository.sign_root()
        offered = root(repository, trust_root.MAX_ROOT_STEPS + 2)
        assert len(offered) < MAX_ROOT_BYTES
    with pytest.raises(UserError) as caught:
        await kept(tuf_simulator, repository, stored, offered)
    refused(caught, "--new-root", root_pin(offered).hex())
    assert len(repository.requests) <= 2
