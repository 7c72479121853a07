"""Who has the server, or its line, leads no PC to another address: the list is signed by the offline profiles key."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import pytest
from securesystemslib.signer import CryptoSigner

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.servers import SERVERS_TARGET, ServerList, encode_servers
from p2pdist.shared.server_address import ServerAddress
from p2pdist.trust.store import TrustStore

NOW = 1_800_000_000.0
HERE, THERE = ServerAddress("192.0.2.1", 8443, 7690), ServerAddress("203.0.113.66", 8443, 7690)


@pytest.fixture
def store(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)


def sign(repository: Any, *addresses: ServerAddress, number: int = 1) -> None:
    servers = encode_servers(ServerList(format=1, number=number, addresses=addresses))
    put(repository, servers)


def put(repository: Any, document: bytes) -> None:
    repository.add_target("profiles", SERVERS_TARGET, document)
    repository.sign_targets("profiles")
    repository.sign_snapshot()
    repository.sign_timestamp()


async def addresses(store: TrustStore) -> tuple[ServerAddress, ...]:
    """Return what a PC has after it has asked, and after a restart without the server."""
    with contextlib.suppress(UserError):
        await store.refresh(NOW)
    cached = await store.load_cached(NOW)
    assert cached is not None
    return () if cached.servers is None else cached.servers.addresses


async def test_what_the_key_has_signed_is_there_also_without_a_server(store: TrustStore, repository: Any) -> None:
    assert await addresses(store) == ()
    sign(repository, HERE, THERE)
    assert await addresses(store) == (HERE, THERE)
    repository.down = True
    assert await addresses(store) == (HERE, THERE)


@pytest.mark.parametrize("thief", ["rollouts", "snapshot", "timestamp", "patches"])
async def test_a_stolen_key_of_the_server_moves_no_pc(store: TrustStore, repository: Any, thief: str) -> None:
    sign(repository, HERE)
    assert await addresses(store) == (HERE,)
    repository.signers["profiles"] = repository.signers[thief]
    sign(repository, THERE, number=2)
    assert await addresses(store) == (HERE,)


async def test_a_list_under_another_role_is_none(store: TrustStore, repository: Any) -> None:
    sign(repository, HERE)
    assert await addresses(store) == (HERE,)
    del repository.targets["profiles"].signed.targets[SERVERS_TARGET]
    repository.sign_targets("profiles")
    repository.add_target("rollouts", SERVERS_TARGET, encode_servers(ServerList(1, 2, (THERE,))))
    repository.publish()
    assert await addresses(store) == ()


async def test_an_older_list_does_not_come_back(store: TrustStore, repository: Any) -> None:
    sign(repository, THERE)
    older = repository.backup()
    sign(repository, HERE, number=2)
    assert await addresses(store) == (HERE,)
    repository.files = older
    assert await addresses(store) == (HERE,)
    # with the keys of the server, the rest is newer than ever, and this role alone is old
    repository.targets["profiles"].signed.version -= 1
    repository.sign_targets("profiles", bump=False)
    repository.sign_snapshot()
    repository.sign_timestamp()
    assert await addresses(store) == (HERE,)


async def test_a_forged_list_is_none(store: TrustStore, repository: Any) -> None:
    sign(repository, HERE)
    assert await addresses(store) == (HERE,)
    repository.signers["profiles"] = [CryptoSigner.generate_ed25519()]
    sign(repository, THERE, number=2)
    assert await addresses(store) == (HERE,)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a million entries": lambda: raw(*["10.0.0.1"] * 1_000_000),
    "multicast": lambda: raw("224.0.0.251"),
    "no machine": lambda: raw("0.0.0.0"),
    "control characters": lambda: raw("hq\x1b[2J\r\n"),
    "nested": lambda: msgpack.packb({"format": 1, "number": 1, "addresses": [[[[]]]]}),
    "no document": lambda: b"\xc1" * 100,
}


def raw(*hosts: str) -> bytes:
    listed = [{"host": host, "web_port": 8443, "origin_port": 7690} for host in hosts]
    packed: bytes = msgpack.packb({"format": 1, "number": 9, "addresses": listed})
    return packed


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_list_is_left_out_and_holds_up_nothing(
    store: TrustStore, repository: Any, document: Callable[[], bytes]
) -> None:
    """Even one that the right key has signed: patches come all the same."""
    put(repository, document())
    catalogue = await store.refresh(NOW)
    assert catalogue.servers is None
    assert [patch.manifest.patch_id for patch in catalogue.patches] == ["alpha"]
