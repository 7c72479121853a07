"""The trust store: fetches, verifies and keeps TUF metadata and documents, and hands out the catalogue.

What is kept as soon as it is verified and what is accepted as a whole: see
`tuf_session`. A refresh that ends half way (the server dies, the disk is full)
leaves the last accepted catalogue in force. A file that is damaged or deleted is
downloaded again.
"""

import math
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from p2pdist.shared.identifiers import PatchRef, SiteName
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.approvals import approved_by
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from p2pdist.shared.wire.signed_files import TrustTold
from p2pdist.shared.wire.trust_news import BATCH_PATH, DIFFERENCES_QUERY, NEWS_PATH
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.catalogue import Catalogue, Choose, Held
from p2pdist.trust.catalogue_reading import ThisPc, first_payload, read_catalogue
from p2pdist.trust.errors import TrustError, translated_errors
from p2pdist.trust.files import TrustFiles, storage_errors
from p2pdist.trust.floor import TrustFloor
from p2pdist.trust.http_answers import HttpGet
from p2pdist.trust.presenting import SignedFiles
from p2pdist.trust.ring_rules import RingMember
from p2pdist.trust.roots import root_pin
from p2pdist.trust.site_documents import read_servers, read_templates
from p2pdist.trust.tuf_client import AskNews, RepositoryPlace
from p2pdist.trust.tuf_session import ServerWord, TufSession

REFRESH_SECONDS = 900.0  # a first refresh of a large catalogue over a slow line; a later one resumes where it ended

ROOT_PATH = "/tuf/metadata/{version}.root.json"
_METADATA_PATH = "/tuf/metadata"
_TARGETS_PATH = "/tuf/targets"

log = lazy_log()

__all__ = ["Catalogue", "ServerWord", "TrustError", "TrustStore"]


class TrustStore:
    """Verifies, remembers and hands out the catalogue. One instance per directory at a time.

    Below ``directory`` each trust root has a directory of its own: enrolling with
    another server starts anew there, and does not lower the floor of the first.
    """

    def __init__(
        self,
        directory: Path,
        *,
        base_url: str,
        root: bytes,
        http: HttpGet,
        ask_news: AskNews | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """``base_url`` as of `use_server`, ``ask_news`` as in `NetworkFetcher`; ``root``: the one from enrolment."""
        self._files = TrustFiles(directory / root_pin(root).hex()[:16])
        self._signed = SignedFiles(self._files)
        self._root = root
        self.use_server(base_url)
        self._http = http
        self._ask_news = ask_news
        self._refresh_seconds = refresh_seconds
        self._failed = False
        """The last refresh broke off: what it has got is kept, and news of all that would come a second time."""
        self._lock = trio.Lock()
        self.site: SiteName | None = None
        """The site whose throttle profile to fetch; None: not known yet. Set before a refresh, like the next four."""
        self.choose: Choose = first_payload
        """Chooses the payload for this PC; called in a thread."""
        self.held: Collection[Held] = ()
        """The payloads of which this PC has bytes. Never changed, only replaced: the thread reads it."""
        self.installed: Collection[PatchRef] = ()
        """What may have to go back: what is installed here, or on its way back. Never changed, only replaced."""
        self.member: RingMember | None = None
        """What decides about this PC's rings; its ``now`` is a clock that is believed, or 0."""
        self.keeps_all = False
        """Keep every signed role and document, also what this PC does not need: the server has asked for it."""
        self._complete = 0
        """The snapshot as of which every role is here; 0: not known, or there is none."""
        self._spare: TufSession | None = None
        """The last refresh, for `keep_spare`; None: nothing is lacking."""

    def use_server(self, base_url: str) -> None:
        """Fetch from this web port (``https://ADDRESS:PORT``), from the next refresh on."""
        self._base_url = url = base_url.rstrip("/")
        news = f"{url}{NEWS_PATH}?{DIFFERENCES_QUERY}"
        self._place = RepositoryPlace(url + _METADATA_PATH, url + _TARGETS_PATH, self._root, news, url + BATCH_PATH)

    async def told(self, *, with_roles: bool = False) -> TrustTold | None:
        """Return which versions this PC trusts; None: none yet. Raises `UserError` (`FaultKind.STORAGE`)."""
        async with self._lock:
            return await trio.to_thread.run_sync(partial(self._signed.told, with_roles=with_roles))

    async def signed_file(self, path: str) -> bytes | None:
        """Return a signed file that was accepted, by its path below ``/tuf/``; None: it is not here. Raises likewise.

        For a server that has lost it.
        """
        async with self._lock:
            return await trio.to_thread.run_sync(self._signed.find, path)

    @property
    def witness_file(self) -> Path:
        """Where to keep what this PC has seen of the audit log of the server with this trust root."""
        return self._files.directory / "witness"

    async def refresh(self, now: float, said: ServerWord | None = None) -> Catalogue:
        """Fetch, verify and accept the newest metadata and its documents.

        ``now`` is seconds since 1970; ``said`` is what the server has told already, see
        `TufSession.online`. Raises `TrustError`, or `UserError` (`FaultKind.STORAGE`)
        when the disk is full. Both leave the last accepted state in force; so does a
        cancelled refresh, which leaves no thread behind.
        """
        async with self._lock:
            with trio.move_on_after(self._refresh_seconds):
                # not abandoned on cancel: the thread does its network I/O in this task, so it ends at once
                return await trio.to_thread.run_sync(self._refresh, now, said)
        raise TrustError(
            "unreachable",
            f"The seed server at {self._base_url} did not send its whole catalogue in {self._refresh_seconds:.0f} s. "
            "Check the line to it; the PC tries again by itself.",
        )

    async def keep_spare(self) -> None:
        """Get what the last refresh found signed and this PC does not need, if it keeps that for others.

        That is dozens of files the first time, for which nothing waits: cancel it for a
        refresh. What has come is kept. Raises as `refresh`; does nothing a second time.
        """
        async with self._lock:
            session, self._spare = self._spare, None
            if session is not None:
                await trio.to_thread.run_sync(self._keep_spare, session)

    async def load_cached(self, now: float) -> Catalogue | None:
        """Return the catalogue last accepted, from disk alone, or None when nothing there is usable.

        TUF forbids accepting anything *new* by expired metadata. It allows keeping
        what was accepted while it was fresh, and a site whose server is away for a
        week must go on sharing those patches on its LAN. So tuf verifies the stored
        metadata in full again: signatures, hashes and versions. Expiry is judged at
        the time of acceptance, which is stored under a checksum. The result is never
        below the floor, so no state older than the newest accepted one can come back.
        It is never above the floor, because nothing is downloaded. Once the metadata
        is past half its life or expired, ``stale`` says so.
        """
        async with self._lock:
            return await trio.to_thread.run_sync(self._load_cached, now)

    # --- in a thread from here on ---------------------------------------------------------

    def _refresh(self, now: float, said: ServerWord | None) -> Catalogue:
        with storage_errors(self._files.directory), translated_errors(self._server):
            place = replace(self._place, news_url=None) if self._failed else self._place
            self._failed = True
            session = TufSession.online(self._files, place, self._http, now, self._ask_news, said)
            if session.kept_all:
                self._complete = session.floor.snapshot
            session.refresh()
            catalogue = self._read_catalogue(session)
            self.keeps_all = self.keeps_all or session.kept_all
            session.accept(drop_unused=not self.keeps_all)
            self._spare = session if self.keeps_all else None
            self._failed = False
            return _dated(catalogue, session.floor, now)

    def _keep_spare(self, session: TufSession) -> None:
        with storage_errors(self._files.directory), translated_errors(self._server):
            has_all = False
            try:
                has_all = session.keep_all(self._complete)
            finally:
                session.accept(drop_unused=has_all)
            if has_all:
                self._complete = session.floor.snapshot

    def _load_cached(self, now: float) -> Catalogue | None:
        with storage_errors(self._files.directory):
            try:
                with translated_errors(self._server):
                    session = TufSession.offline(self._files, self._place)
                    if session is None:
                        return None
                    session.refresh()
                    catalogue = replace(self._read_catalogue(session), confirmed=False)
            except TrustError as error:
                log.warning("stored metadata is not usable, waiting for the seed server", reason=error.message)
                return None
            return _dated(catalogue, session.floor, now)

    def _read_catalogue(self, session: TufSession) -> Catalogue:
        member = self.member
        if member is not None:
            member = replace(member, now=max(member.now, session.floor.time))
        pc = ThisPc(self.site, self.choose, self.held, self.installed, member)
        catalogue = read_catalogue(session.has, session.get, pc, expect=session.expect, approved_by=approved_by)
        for patch in catalogue.refused:
            log.warning(
                "patch refused", patch_id=patch.entry.patch_id, version=patch.entry.version, reason=patch.reason
            )
        templates = read_templates(session.names("patches", TEMPLATES_PREFIX), session.get)
        servers = read_servers(session.has, session.get)
        version = session.floor.timestamp
        return replace(catalogue, timestamp_version=version, templates=templates, servers=servers)

    @property
    def _server(self) -> str:
        return self._base_url.removeprefix("https://")


def _dated(catalogue: Catalogue, floor: TrustFloor, now: float) -> Catalogue:
    return replace(
        catalogue,
        stale=trust_floor.freshness_alarm(floor, now),
        passed_at=floor.time,
        expires_at=floor.timestamp_expires if floor.timestamp else math.inf,
    )
