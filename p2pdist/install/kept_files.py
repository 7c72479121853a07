"""Payloads that are kept for a rollback, by patch and version. Blocking work in threads."""

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path

import trio

from p2pdist.install.journal import JournalStore
from p2pdist.install.lifecycle import KeptFile
from p2pdist.install.proven_files import KeptPayload
from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Payload
from p2pdist.transfer.base_choice import Base
from p2pdist.transfer.names import NameChange, give_name, take_name

log = lazy_log()


class KeptPayloads:
    """What is kept below one directory; the journal says what is still needed."""

    def __init__(self, directory: Path, store: JournalStore, names_changed: Callable[[NameChange], None]) -> None:
        """``names_changed`` is told of each name that a file gets or loses here: it may be a proven one."""
        self.directory = directory
        self._store = store
        self._names_changed = names_changed

    async def keep(self, ref: PatchRef, payload: Payload, file: Path) -> KeptFile | None:
        """Keep a file before it is run: the patch may be withdrawn meanwhile, and its file removed. None: no room."""
        kept = KeptFile(version=ref.version, file_name=payload.file_name, sha256=payload.sha256)
        try:
            self._names_changed(await keep_payload(file, self.directory / ref.patch_id, kept))
        except OSError as error:
            log.warning("the payload cannot be kept to roll back to", patch=str(ref), reason=error.strerror)
            return None
        return kept

    async def drop_unneeded(self, patch_id: str) -> None:
        """Remove the kept files of a patch that no record needs for a way back any more."""
        records = [record for record in self._store.journal.records if record.patch_id == patch_id]
        needed = {kept.version for record in records for kept in (record.own, record.previous) if kept is not None}
        for change in await drop_kept(self.directory / patch_id, needed):
            self._names_changed(change)

    async def drop_left(self) -> None:
        """Remove what is kept of patches of which no record needs it, as after a kill or a lost journal.

        Nothing may be kept meanwhile.
        """
        for patch_id in await trio.to_thread.run_sync(_names_in, self.directory):
            await self.drop_unneeded(patch_id)

    def of_others(self, ref: PatchRef) -> KeptFile | None:
        """Return the kept payload of the installed version of this patch; None if we have not installed it."""
        others = [
            (record.changed_at, record.previous if record.state == "rolled_back" else record.own)
            for record in self._store.journal.records
            if record.patch_id == ref.patch_id and record.version != ref.version
        ]
        return max(((at, kept) for at, kept in others if kept), key=lambda found: found[0], default=(0.0, None))[1]

    def bases(self, patch_ids: Collection[str]) -> list[Base]:
        """Return what is kept of patches with these ids, as something newer of them may be built of it."""
        found: list[Base] = []
        for record in self._store.journal.records:
            if record.patch_id in patch_ids:
                for kept, since in ((record.own, record.changed_at), (record.previous, record.first_seen_at)):
                    if kept is not None:
                        path = self.directory / record.patch_id / kept.version / kept.file_name
                        found.append(Base(kept.sha256, record.patch_id, kept.version, since, str(path)))
        return found

    def payload(self, patch_id: str, kept: KeptFile | None) -> KeptPayload | None:
        """Return where a kept file is, with what it must be."""
        if kept is None:
            return None
        return KeptPayload(self.directory / patch_id / kept.version / kept.file_name, kept.sha256, kept.version)


async def keep_payload(source: Path, directory: Path, kept: KeptFile) -> NameChange:
    """Keep a proven payload below ``directory``; costs no space while both share their bytes. Raises `OSError`."""

    def work() -> NameChange:
        durable_files.make_directory(directory / kept.version, mode=0o700)
        return give_name(source, directory / kept.version / kept.file_name)

    return await trio.to_thread.run_sync(work)


async def drop_kept(directory: Path, versions: set[str]) -> list[NameChange]:
    """Remove all that is kept below ``directory`` except ``versions``; what cannot be removed is logged."""

    def work() -> list[NameChange]:
        changes: list[NameChange] = []
        if not directory.is_dir():
            return changes
        for version in list(directory.iterdir()):
            if version.name in versions:
                continue
            try:
                for file in list(version.iterdir()):
                    change = take_name(file)
                    changes += [] if change is None else [change]
                version.rmdir()
            except OSError as error:
                log.warning("a kept payload cannot be removed", path=str(version), reason=error.strerror)
        with contextlib.suppress(OSError):  # others are still needed
            directory.rmdir()
        return changes

    return await trio.to_thread.run_sync(work)


def _names_in(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir() if not path.is_symlink()]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("kept payloads cannot be listed", path=str(directory), reason=error.strerror)
        return []
