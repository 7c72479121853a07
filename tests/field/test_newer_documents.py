"""Documents that a newer release signed: a PC reads on what it knows, and takes no part of a recipe."""

from pathlib import Path
from typing import Any

import msgpack
import pytest

from p2pdist.shared.identifiers import PatchId, PatchVersion
from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, manifest_target
from p2pdist.shared.manifest.publication_order import ORDER_TARGET
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.errors import TrustError
from p2pdist.trust.store import TrustStore
from tests.helpers.repository_simulator import BASE_URL, NOW, RepositorySimulator

MANIFEST = manifest_target(PatchId("office"), PatchVersion("1"))


async def read(directory: Path, target: str, more: dict[str, Any]) -> Catalogue:
    """Return what a PC reads of two patches, when a document has more fields, or other ones."""
    repository = RepositorySimulator()
    repository.add_patch("office")
    repository.add_patch("vpn")
    repository.publish()
    role = "rollouts" if target == ROLLOUTS_TARGET else "patches"
    document = msgpack.unpackb(repository.files[repository.target_url(role, target)]) | more
    repository.add_target(role, target, msgpack.packb(document))
    repository.sign_targets(role)
    repository.sign_snapshot()
    repository.sign_timestamp()
    return await TrustStore(directory, base_url=BASE_URL, root=repository.first_root, http=repository).refresh(NOW)


@pytest.mark.parametrize("target", [MANIFEST, ROLLOUTS_TARGET, ORDER_TARGET])
async def test_a_field_of_a_newer_release_costs_no_pc_the_document(tmp_path: Path, target: str) -> None:
    catalogue = await read(tmp_path, target, {"added-later": {"deep": [1, 2]}})
    assert [patch.entry.patch_id for patch in catalogue.patches] == ["office", "vpn"]
    assert not catalogue.refused


@pytest.mark.parametrize(
    "more",
    [
        {"format": 2},
        {"schedule": {"only_when": "the moon is full"}},
        {"install": {"kind": "deb", "as_user": "nobody"}},
        {"detect": [{"kind": "package", "name": "office", "on_host": "other"}]},
    ],
    ids=["format", "schedule", "install", "detect"],
)
async def test_what_a_pc_cannot_carry_out_whole_it_refuses_and_the_other_patch_comes(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    catalogue = await read(tmp_path, MANIFEST, more)
    assert [patch.entry.patch_id for patch in catalogue.patches] == ["vpn"]
    (refused,) = catalogue.refused
    assert refused.entry.patch_id == "office"
    assert next(iter(more)) in refused.reason


@pytest.mark.parametrize("target", [ROLLOUTS_TARGET, ORDER_TARGET])
async def test_a_format_that_a_pc_does_not_know_is_refused_in_words(tmp_path: Path, target: str) -> None:
    with pytest.raises(TrustError, match="format"):
        await read(tmp_path, target, {"format": 2})
