"""What killed processes have left half written, and what nothing belongs to: removed at the start, and once a day."""

import contextlib
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from p2pdist.install.process_records import recorded_process
from p2pdist.install.proven_files import COPIES
from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.news_torrent import NEWS_NAME_ZEROS
from p2pdist.transfer.files import TRIAL
from p2pdist.transfer.manager import Transfers

SWEEP_SECONDS = 86_400.0  # no write takes so long: what was there at the last look too is nobody's
NOT_YET_SECONDS = 60.0  # until it is asked again whether it is known what belongs here
_BY_PROCESS = re.compile(r"\..{1,100}\.(\d{1,10})", re.DOTALL)  # what `supervised_processes.write` makes

log = lazy_log()


async def remove_leftovers(home: EndpointHome) -> None:
    """Remove temporary files, some of which keep a payload's bytes on the disk; what cannot be removed is logged.

    Only the holder of the home's lock may call it, before anything is written.
    """

    def work() -> None:
        _remove(_look_everywhere(home))
        for path in home.cache.glob(f"{NEWS_NAME_ZEROS}*"):  # news that it shared: of no use to this one
            with contextlib.suppress(OSError):
                path.unlink()

    await trio.to_thread.run_sync(work)


class DailySweep:
    """Looks again while the daemon runs: its network part, a supervisor or a command may have been killed."""

    def __init__(self, home: EndpointHome, transfers: Transfers) -> None:
        self._home = home
        self._transfers = transfers
        self._seen: dict[Path, int] = {}
        """The temporary files of the last look, with their inodes."""

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            known = await self._transfers.remove_unclaimed()
            if known:
                await self.sweep()
            await trio.sleep(SWEEP_SECONDS if known else NOT_YET_SECONDS)

    async def sweep(self) -> None:
        """Remove the temporary files that the last sweep has seen too: of the others, one may just be written."""
        seen = await trio.to_thread.run_sync(lambda: _inodes(_look_everywhere(self._home)))
        old = [path for path, inode in seen.items() if self._seen.get(path) == inode]
        self._seen = seen
        await trio.to_thread.run_sync(_remove, old)


def _look_everywhere(home: EndpointHome) -> list[Path]:
    """Return all temporary files, and directories of them, in the places where parts of the daemon write."""
    found: list[Path] = []
    # what the network part makes in the cache is not walked through, however deep it is
    for place, below in (
        (home.root, False),
        (home.cache, False),
        *((each, True) for each in (home.enrolment.parent, home.trust, home.patches, home.kept, home.records.parent)),
        (home.scratch, True),
        (home.upgrade, True),
    ):
        found += _listed(place, partial(durable_files.find_leftovers, place, below=below))
    found += _listed(home.upgrade, lambda: [path for path in home.upgrade.iterdir() if _is_left(path.name)])
    found += [place / TRIAL for place in (home.cache, home.patches, home.kept) if (place / TRIAL).exists()]
    if recorded_process(home.scratch / "running") is None:  # an installer that outlived its daemon runs from there
        found += _listed(home.scratch, lambda: list(home.scratch.glob(f"{COPIES}*")))
    return found


def _listed(place: Path, look: Callable[[], list[Path]]) -> list[Path]:
    try:
        return look()
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("files of a killed process cannot be looked for", path=str(place), reason=error.strerror)
        return []


def _is_left(name: str) -> bool:
    """Whether a file in the directory of upgrades is a temporary one of a process that does not run any more."""
    found = _BY_PROCESS.fullmatch(name)
    return found is not None and not Path(f"/proc/{found[1]}").exists()


def _inodes(paths: list[Path]) -> dict[Path, int]:
    inodes: dict[Path, int] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            inodes[path] = path.lstat().st_ino
    return inodes


def _remove(paths: list[Path]) -> None:
    removed = 0
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("a file of a killed process cannot be removed", path=str(path), reason=error.strerror)
    if removed:
        log.info("removed what killed processes left", files=removed)
