"""What a daemon that was killed has left half written: removed when the next one starts."""

import contextlib

import structlog
import trio

from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.wire.news_torrent import NEWS_NAME_ZEROS

log = structlog.get_logger()


async def remove_leftovers(home: EndpointHome) -> None:
    """Remove temporary files, some of which keep a payload's bytes on the disk; what cannot be removed is logged.

    Only the holder of the home's lock may call it, before anything is written.
    """

    def work() -> None:
        places = (home.enrolment.parent, home.trust, home.patches, home.kept, home.records.parent)
        for place in places:
            try:
                found = durable_files.remove_leftovers(place)
            except OSError as error:
                log.warning("files of a killed daemon cannot be removed", path=str(place), reason=error.strerror)
                continue
            if found:
                log.info("removed what a killed daemon left", path=str(place), files=found)
        for path in home.cache.glob(f"{NEWS_NAME_ZEROS}*"):  # news that it shared: of no use to this one
            with contextlib.suppress(OSError):
                path.unlink()

    await trio.to_thread.run_sync(work)
