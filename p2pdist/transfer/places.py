"""Where a proven file is: once for each patch that has its bytes, all of them names of one file."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import trio

from p2pdist.shared.identifiers import (
    InvalidIdentifierError,
    PatchRef,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
)
from p2pdist.transfer import files
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.names import NameChange
from p2pdist.transfer.states import Place, TransferRecord
from p2pdist.trust.catalogue import CataloguePatch

MOST_PLACES = 500  # of one file: NTFS has 1,023 names for it, and an installed patch keeps it under another one


def places_of(patches: Iterable[CataloguePatch]) -> tuple[Place, ...]:
    """Return where the file of each of ``patches`` belongs, at most `MOST_PLACES`."""
    return tuple(Place(patch.manifest.patch_id, patch.manifest.version, patch.payload.file_name) for patch in patches)[
        :MOST_PLACES
    ]


def with_first(patches: tuple[CataloguePatch, ...], ref: PatchRef | None) -> tuple[CataloguePatch, ...]:
    """Return ``patches`` with the one named ``ref`` before the others, if it is among them."""
    return tuple(sorted(patches, key=lambda patch: patch.ref != ref))


def refs_of(record: TransferRecord) -> set[PatchRef]:
    """Return the patches that a transfer's bytes belong to."""
    return {record.ref, *(place.ref for place in record.places)}


class Places:
    """The ``patches`` directory."""

    def __init__(self, directory: Path, cache: Cache) -> None:
        self._directory = directory
        self._cache = cache

    async def publish(self, record: TransferRecord) -> int:
        """Put the file that was proven, as ``record`` says, at all its places. Raises `OSError`.

        Return its ``ctime`` afterwards, for `Cache.is_proven`.
        """
        ctime_ns = 0
        for place in record.places:
            ctime_ns = await self._cache.publish(record, self._path(place))
        return ctime_ns

    async def publish_all(self, records: Sequence[TransferRecord]) -> list[int | OSError]:
        """As `publish`, of many small files at once: a thread for each costs more than its work."""
        return await trio.to_thread.run_sync(self._publish_all, records)

    def _publish_all(self, records: Sequence[TransferRecord]) -> list[int | OSError]:
        outcomes: list[int | OSError] = []
        for record in records:
            try:
                outcomes.append(max(self._cache.publish_now(record, self._path(place)) for place in record.places))
            except OSError as error:
                outcomes.append(error)
        return outcomes

    async def take_back(self, places: Collection[Place]) -> list[NameChange]:
        """Remove the file from ``places``, which may come from a file of this PC; what cannot be removed is logged."""
        changes: list[NameChange] = []
        for place in places:
            try:
                parse_patch_id(place.patch_id)
                parse_patch_version(place.version)
                parse_file_name(place.file_name)
            except InvalidIdentifierError:
                continue
            if not self._nothing_at(place):
                change = await files.remove_verified(self._path(place))
                changes += [] if change is None else [change]
        return changes

    def _nothing_at(self, place: Place) -> bool:
        """Whether there is not even the patch's directory, as of one that begins: a thread costs more than a look."""
        try:
            self._path(place).parent.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False  # whoever tries to remove it logs what is wrong
        return False

    def _path(self, place: Place) -> Path:
        return self._directory / place.patch_id / place.version / place.file_name
