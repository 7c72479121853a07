"""What the server has been told of this PC's inventory, in a file: so that later only changes are told. Blocking.

Two are kept: the one that the server had when it asked last, and the one that it was told then. Which of them it has
recorded it says when it asks again. Without the file everything is told once more, so it need not be durable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from p2pdist.pc.told_inventory import without_packages
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    Inventory,
    InventoryDigest,
    InventoryFact,
    applied,
    difference,
    digest_of,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, KeptState
from p2pdist.shared.wire.inventory import MAX_TOLD_BYTES, packed, unpacked

MAX_KEPT_INVENTORIES = 2
MAX_TOLD_FILE_BYTES = MAX_KEPT_INVENTORIES * MAX_TOLD_BYTES + 1_000

log = lazy_log()


class KeptInventories(KeptState, frozen=True):
    """The file: inventories as `packed` changes of nothing, the newest last."""

    told: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_KEPT_INVENTORIES)] = ()


@dataclass(frozen=True)
class TellingOf:
    """What the server is told: `packed` changes, and the digests before and after them."""

    base: InventoryDigest
    digest: InventoryDigest
    data: bytes


class ToldInventories:
    """The inventories in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest_facts(self) -> Mapping[str, InventoryFact]:
        """Return the facts that were told last; empty: none were, or that is not known any more."""
        kept = self._load()
        return kept[-1].facts if kept else {}

    def tell(self, present: Inventory, base: InventoryDigest) -> TellingOf:
        """Return what to tell a server that has the inventory with the digest ``base``, and keep that.

        Where that one is not known here, all is told.
        """
        before = next((kept for kept in self._load() if digest_of(kept) == base), NOTHING)
        whole = packed(difference(NOTHING, present))
        if len(whole) > MAX_TOLD_BYTES:
            log.warning("this PC has more packages than the server takes: it is told of none", bytes=len(whole))
            present = without_packages(present)
            whole = packed(difference(NOTHING, present))
        data = whole if before is NOTHING else packed(difference(before, present))
        if len(data) > MAX_TOLD_BYTES:
            before, data = NOTHING, whole
        self._save([packed(difference(NOTHING, before))] * (before is not NOTHING) + [whole])
        return TellingOf(EMPTY_DIGEST if before is NOTHING else base, digest_of(present), data)

    def _load(self) -> list[Inventory]:
        try:
            data = read_capped(self._path, MAX_TOLD_FILE_BYTES)
            kept: KeptInventories = codec.decode(data, KeptInventories, max_bytes=MAX_TOLD_FILE_BYTES)
            return [applied(NOTHING, unpacked(told)) for told in kept.told]
        except FileNotFoundError:
            return []
        except (OSError, FileTooLargeError, DecodeError) as error:
            log.warning("what the server was told of this PC cannot be read: it is told all", reason=str(error))
            return []

    def _save(self, told: list[bytes]) -> None:
        try:
            durable_files.make_directory(self._path.parent, mode=0o700)
            durable_files.write_file(self._path, codec.encode(KeptInventories(tuple(told))), lasting=False)
        except OSError as error:
            log.warning("what the server is told of this PC cannot be kept", reason=error.strerror)
