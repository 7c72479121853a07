"""What the origin part looks after: publications, denials and the site map, which other processes change."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.site_map_file import load_sites
from seed_server.origin.server import OriginServer
from seed_server.settings.home import ServerHome
from seed_server.signing.metadata import NewestTimestamp
from seed_server.signing.profiles import parsed_profiles
from seed_server.signing.repository import Repository
from seed_server.signing.templates import template_names
from seed_server.store.database import Database

POLL_SECONDS = 0.25  # how soon a denial or a new site map takes effect …
PUBLICATION_SECONDS = 0.05  # … and a publication, of which one look at a file tells
RETRY_SECONDS = 5.0  # after the disk or another process has been in the way

FileStamp: TypeAlias = tuple[int, ...]
"""What changes whenever a file does; empty: there is none."""

log = structlog.get_logger()


@dataclass
class Watches:
    """Looks at files and database, and tells the origin port what has changed. It signs nothing."""

    home: ServerHome
    database: Database
    repository: Repository
    profile_targets: dict[str, bytes] = field(default_factory=dict)
    """The profiles in force, by target path."""
    on_change: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    """Called when there is new signed metadata, before PCs are told."""

    async def watch_repository(self, origin: OriginServer, version: int) -> None:
        """Tell the origin port at once when another process has published; what cannot be read is tried again."""
        seen: FileStamp | None = None
        before: NewestTimestamp | None = None
        while True:
            await trio.sleep(PUBLICATION_SECONDS)
            stamp = await trio.to_thread.run_sync(stamp_of, self.home.tuf_metadata / "timestamp.json")
            if stamp == seen:
                continue
            try:
                current = await trio.to_thread.run_sync(self.repository.newest_timestamp)
                if current.version != version:
                    await self.load_profiles(origin)
                    await self.load_templates(origin)  # before PCs hear of a new one, and answer it
                    await self.load_rollouts(origin)
                    await self.on_change()
                    renewed = current if before is not None and current.renews(before) else None
                    await origin.repository_changed(current.version, renewed)
            except UserError as error:
                log.error("what was published is not in force yet", reason=error.message)  # noqa: TRY400
                await trio.sleep(RETRY_SECONDS)
                continue
            seen, version, before = stamp, current.version, current

    async def load_rollouts(self, origin: OriginServer) -> None:
        """Send only what is offered now. Raises `UserError` (STORAGE); then the origin port goes on as before."""
        origin.replace_rollouts(await trio.to_thread.run_sync(self.repository.offered))

    async def load_profiles(self, origin: OriginServer) -> None:
        """Use the throttle profiles that are signed now; when they cannot be read, those before stay in force."""
        try:
            targets = await trio.to_thread.run_sync(self.repository.profiles)
            if targets == self.profile_targets:
                return
            profiles = await trio.to_thread.run_sync(parsed_profiles, targets)
        except UserError as error:
            log.error("the throttle profiles cannot be read", reason=error.message)  # noqa: TRY400
            return
        self.profile_targets = targets
        origin.replace_profiles(profiles)
        log.info("throttle profiles are in force", sites=len(profiles))

    async def load_templates(self, origin: OriginServer) -> None:
        """Accept answers to the templates that are signed now; if they cannot be read, the earlier ones stay."""
        try:
            names = await trio.to_thread.run_sync(template_names, self.repository)
        except UserError as error:
            log.error("the diagnosis templates cannot be read", reason=error.message)  # noqa: TRY400
            return
        origin.replace_templates(names)

    async def watch_denied(self, origin: OriginServer) -> None:
        """Drop endpoints that the operator has just denied or forgotten."""
        seen = -1
        while True:
            try:
                version = await trio.to_thread.run_sync(self.database.admissions_version)
                if version != seen:
                    connected = origin.connected  # before the look: who enrols meanwhile is not meant
                    enrolled = await trio.to_thread.run_sync(self.database.enrolled)
                    origin.drop_forgotten(connected - enrolled.keys())
                    origin.drop_denied({EndpointId(endpoint) for endpoint, denied in enrolled.items() if denied})
                    del enrolled  # of thousands of PCs; nothing may change for weeks
                    seen = version
            except UserError as error:
                log.error("the denied endpoints cannot be read", reason=error.message)  # noqa: TRY400
                await trio.sleep(RETRY_SECONDS)
            await trio.sleep(POLL_SECONDS)

    async def watch_sites(self, origin: OriginServer, seen: FileStamp) -> None:
        """Use a changed site map at once; a broken one leaves the old one in force.

        ``seen``: of the file, from before it was read: what was written since the start must not be missed.
        """
        while True:
            stamp = await trio.to_thread.run_sync(stamp_of, self.home.sites)
            if stamp == seen:
                await trio.sleep(POLL_SECONDS)
                continue
            seen = stamp
            try:
                origin.replace_sites(await trio.to_thread.run_sync(load_sites, self.home))
                log.info("site map is in force", path=str(self.home.sites))
            except UserError as error:
                log.error("the new site map is not usable, the old one stays in force", reason=error.message)  # noqa: TRY400


def stamp_of(path: Path) -> FileStamp:
    """Return what changes whenever the file does."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_mtime_ns, status.st_size)
