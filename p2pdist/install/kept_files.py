"""Payloads that are kept for a rollback, by patch and version. Blocking work in threads."""

from pathlib import Path

import structlog
import trio

from p2pdist.install.lifecycle import KeptFile
from p2pdist.shared import durable_files

log = structlog.get_logger()


async def keep_payload(source: Path, directory: Path, kept: KeptFile) -> None:
    """Keep a proven payload below ``directory``; costs no space while both share their bytes. Raises `OSError`."""

    def work() -> None:
        durable_files.make_directory(directory / kept.version, mode=0o700)
        durable_files.link_file(source, directory / kept.version / kept.file_name)

    await trio.to_thread.run_sync(work)


async def drop_kept(directory: Path, versions: set[str]) -> None:
    """Remove all that is kept below ``directory`` except ``versions``; what cannot be removed is logged."""

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
