"""The journal of installations on disk. Blocking work in threads."""

import os
from pathlib import Path

import structlog
import trio

from p2pdist.install.lifecycle import Journal, KeptFile
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.wire import codec

MAX_JOURNAL_BYTES = 16 << 20  # MAX_RECORDS of 1 kB and MAX_HISTORY of 3 kB, with room

log = structlog.get_logger()


async def load_journal(path: Path, now: float) -> Journal:
    """Return the journal; a missing one is empty. A damaged one is put aside under the time of now, and reported.

    Raises `OSError` for one that is there and cannot be read: what it forbids is then not known.
    """

    def work() -> Journal:
        try:
            journal: Journal = codec.decode(read_capped(path, MAX_JOURNAL_BYTES), Journal, max_bytes=MAX_JOURNAL_BYTES)
        except FileNotFoundError:
            return Journal()
        except (FileTooLargeError, codec.DecodeError) as error:
            aside = path.with_name(f"{path.name}.damaged-{int(now)}")
            os.replace(path, aside)
            # detection still keeps what is installed from being installed again
            log.error("the journal of installations is damaged, starting a new one", kept=str(aside), cause=str(error))  # noqa: TRY400
            return Journal()
        return journal

    return await trio.to_thread.run_sync(work)


async def save_journal(path: Path, journal: Journal) -> None:
    """Durably replace the journal. Raises `OSError`; the old one is then still there."""

    def work() -> None:
        durable_files.make_directory(path.parent)
        durable_files.write_file(path, codec.encode(journal))

    await trio.to_thread.run_sync(work)


async def keep_payload(source: Path, directory: Path, kept: KeptFile) -> None:
    """Keep a proven payload below ``directory`` to roll back to; costs no room while it is shared. Raises `OSError`."""

    def work() -> None:
        durable_files.make_directory(directory / kept.version, mode=0o700)
        durable_files.link_file(source, directory / kept.version / kept.file_name)

    await trio.to_thread.run_sync(work)


async def drop_kept(directory: Path, versions: set[str]) -> None:
    """Remove what is kept below ``directory`` but for ``versions``; what cannot be removed is logged."""

    def work() -> None:
        if not directory.is_dir():
            return
        for version in list(directory.iterdir()):
            if version.name in versions:
                continue
            try:
                for file in list(version.iterdir()):
                    file.unlink()
                version.rmdir()
            except OSError as error:
                log.warning("a kept payload cannot be removed", path=str(version), reason=error.strerror)

    await trio.to_thread.run_sync(work)
