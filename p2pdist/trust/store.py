"""The trust store: fetches, verifies and keeps TUF metadata and documents. The only tuf import on the endpoint.

Each refresh gives tuf a cache of its own, in a temporary directory that is filled
from `TrustFiles`. So metadata is accepted all or nothing: a refresh that ends half
way (the server dies, the disk is full) leaves the last accepted state whole. A file
that is damaged or deleted is downloaded again.
"""

import contextlib
import datetime as dt
import hashlib
import io
import re
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

import structlog
import trio
from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES, DecodeError
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.catalogue import (
    Catalogue,
    Choose,
    DocumentError,
    Held,
    first_payload,
    read_catalogue,
    read_templates,
)
from p2pdist.trust.files import WORK_PREFIX, MetadataFiles, TrustFiles, storage_errors
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor, VerifiedVersions
from p2pdist.trust.http_answers import HttpAnswer, HttpError, HttpGet

MAX_ROOT_BYTES = 64 << 10  # dozens of keys and signatures
MAX_TIMESTAMP_BYTES = 16 << 10  # one entry and a few signatures
MAX_SNAPSHOT_BYTES = 64 << 10  # MAX_ROLES entries
REFRESH_SECONDS = 900.0  # a first refresh of a large catalogue over a slow line; a later one resumes where it ended

_METADATA_PATH = "/tuf/metadata"
_TARGETS_PATH = "/tuf/targets"

_HTTP_ADVICE = {
    403: "This PC is not enrolled there, or the operator has denied it. Ask the operator to allow it.",
    429: "This PC asks for more than it may; it tries again by itself.",
}

log = structlog.get_logger()

TrustErrorReason = Literal["unreachable", "expired", "rolled_back", "invalid_signature", "malformed"]

__all__ = ["Catalogue", "TrustError", "TrustStore", "check_root"]


class TrustError(UserError):
    """No new metadata could be accepted; the metadata accepted before stays in force."""

    def __init__(self, reason: TrustErrorReason, message: str) -> None:
        super().__init__(message, FaultKind.UNREACHABLE if reason == "unreachable" else FaultKind.REFUSED)
        self.reason: TrustErrorReason = reason


def check_root(root: bytes) -> None:
    """Check that ``root`` is TUF root metadata, signed by its own threshold. Raises `TrustError`."""
    problem = ""
    if len(root) > MAX_ROOT_BYTES:
        problem = f"{len(root)} bytes are over the cap of {MAX_ROOT_BYTES}"
    else:
        try:
            metadata: Metadata[Any] = Metadata.from_bytes(root)
            if metadata.signed.type == "root":
                metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
            else:
                problem = f"it is the metadata of {metadata.signed.type}"
        except (tuf_errors.RepositoryError, ValueError) as error:
            problem = _words(error)
    if problem:
        raise TrustError(
            "malformed", f"The trust root is not usable ({problem}). Look at the server's repository, then enrol again."
        )


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
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """``base_url`` is the web port's (``https://ADDRESS:PORT``), ``root`` the TUF root from enrolment."""
        self._files = TrustFiles(directory / hashlib.sha256(root).hexdigest()[:16])
        self._base_url = base_url.rstrip("/")
        self._root = root
        self._http = http
        self._refresh_seconds = refresh_seconds
        self._lock = trio.Lock()
        self.site: SiteName | None = None
        """The site whose throttle profile to fetch; None until it is known. Set before a refresh, like the next two."""
        self.choose: Choose = first_payload
        """Chooses the payload for this PC; called in a thread."""
        self.held: Collection[Held] = ()
        """The payloads of which this PC has bytes. Never changed, only replaced: the thread reads it."""

    async def refresh(self, now: float) -> Catalogue:
        """Fetch, verify and accept the newest metadata and its documents.

        ``now`` is seconds since 1970. Raises `TrustError`, or `UserError`
        (`FaultKind.STORAGE`) when the disk is full. Both leave the last accepted state
        in force; so does a cancelled refresh, which leaves no thread behind.
        """
        async with self._lock:
            with trio.move_on_after(self._refresh_seconds):
                # not abandoned on cancel: the thread does its network I/O in this task, so it ends at once
                return await trio.to_thread.run_sync(self._refresh, now)
        raise TrustError(
            "unreachable",
            f"The seed server at {self._base_url} did not send its whole catalogue in {self._refresh_seconds:.0f} s. "
            "Check the line to it; the PC tries again by itself.",
        )

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

    def _refresh(self, now: float) -> Catalogue:
        with storage_errors(self._files.directory), self._translated_errors():
            floor, accepted = self._files.load()
            if behind := trust_floor.clock_set_back_seconds(floor, now):
                log.warning("clock is behind the newest accepted metadata, using its time", seconds=round(behind))
            at = trust_floor.reference_time(floor, now)
            catalogue, versions, metadata = self._verify(_NetworkFetcher(self._http), accepted, at, floor)
            floor = trust_floor.raised(floor, versions, at)
            if accepted is None or metadata != MetadataFiles(accepted.roots, accepted.roles):
                self._files.keep_accepted(
                    AcceptedMetadata(accepted_at=at, roots=metadata.roots, roles=metadata.roles, floor=floor)
                )
            self._files.keep_floor(floor)
            self._files.drop_unused_documents()
            return replace(catalogue, stale=trust_floor.freshness_alarm(floor, now))

    def _load_cached(self, now: float) -> Catalogue | None:
        with storage_errors(self._files.directory):
            floor, accepted = self._files.load()
            if accepted is None:
                return None
            fetcher = _OfflineFetcher(accepted.roles.get("timestamp", b""))
            try:
                with self._translated_errors():
                    catalogue, versions, _ = self._verify(fetcher, accepted, accepted.accepted_at, floor)
            except TrustError as error:
                log.warning("stored metadata is not usable, waiting for the seed server", reason=error.message)
                return None
            floor = trust_floor.raised(floor, versions, accepted.accepted_at)
            self._files.keep_floor(floor)
            return replace(catalogue, stale=trust_floor.freshness_alarm(floor, now))

    def _verify(
        self, fetcher: "_NetworkFetcher", accepted: AcceptedMetadata | None, at: float, floor: TrustFloor
    ) -> tuple[Catalogue, VerifiedVersions, MetadataFiles]:
        with tempfile.TemporaryDirectory(dir=self._files.directory, prefix=WORK_PREFIX) as work:
            if accepted:
                MetadataFiles(accepted.roots, accepted.roles).lay_out(Path(work))
            updater = _Updater(Path(work), self._base_url, fetcher, self._root, at)
            updater.refresh()
            versions = updater.versions()
            if reason := trust_floor.refusal(floor, versions):
                raise tuf_errors.BadVersionNumberError(reason)
            catalogue = self._read_catalogue(updater, Path(work) / "download")
            return catalogue, versions, MetadataFiles.read(Path(work), versions)

    def _read_catalogue(self, updater: "_Updater", scratch: Path) -> Catalogue:
        def get(target: str, max_bytes: int) -> bytes:
            return _document(updater, self._files, target, max_bytes, scratch)

        def has(target: str) -> bool:
            return updater.get_targetinfo(target) is not None

        try:
            catalogue = read_catalogue(has, get, site=self.site, choose=self.choose, held=self.held)
        except DocumentError as error:
            raise tuf_errors.RepositoryError(str(error)) from error
        for patch in catalogue.refused:
            log.warning(
                "patch refused", patch_id=patch.entry.patch_id, version=patch.entry.version, reason=patch.reason
            )
        templates = read_templates(updater.names("patches", TEMPLATES_PREFIX), get)
        return replace(catalogue, timestamp_version=updater.versions().timestamp, templates=templates)

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        server = self._base_url.removeprefix("https://")
        try:
            yield
        except tuf_errors.DownloadHTTPError as error:
            raise TrustError(
                "unreachable",
                f"The seed server at {server} answered HTTP {error.status_code} instead of its signed metadata. "
                + _HTTP_ADVICE.get(error.status_code, "Look at the server's log; this PC tries again by itself."),
            ) from error
        except (tuf_errors.DownloadLengthMismatchError, tuf_errors.LengthOrHashMismatchError) as error:
            raise TrustError(
                "malformed",
                f"The seed server at {server} sent metadata of the wrong length or hash: its files are damaged or "
                "were tampered with. Publish again or restore its repository.",
            ) from error
        except tuf_errors.DownloadError as error:
            cause = error.__cause__
            raise TrustError("unreachable", cause.message if isinstance(cause, HttpError) else _words(error)) from error
        except tuf_errors.ExpiredMetadataError as error:
            raise TrustError(
                "expired",
                f"The signed metadata of the seed server at {server} has expired ({_words(error)}). Check that this "
                "PC's clock is right and that the server runs and renews it.",
            ) from error
        except tuf_errors.BadVersionNumberError as error:
            raise TrustError(
                "rolled_back",
                f"The seed server at {server} offers older or mixed signed metadata ({_words(error)}): it was restored "
                "from a backup, or somebody replays old files. Publish again on the server to get ahead.",
            ) from error
        except tuf_errors.UnsignedMetadataError as error:
            raise TrustError(
                "invalid_signature",
                f"Metadata of the seed server at {server} is not signed by enough of the trusted keys "
                f"({_words(error)}): it was tampered with, or its keys were replaced. Ask the operator.",
            ) from error
        except (tuf_errors.RepositoryError, DecodeError, ValueError) as error:
            raise TrustError(
                "malformed",
                f"The signed metadata of the seed server at {server} is not usable ({_words(error)}). "
                "Look at the server's log and publish again.",
            ) from error


class _Updater(Updater):
    """tuf's client with a given reference time and readable verified versions.

    tuf has a public way to neither, so this uses private attributes. Should a release
    of tuf remove them, this raises: better to accept nothing than to use the wrong clock.
    """

    def __init__(self, work: Path, base_url: str, fetcher: FetcherInterface, root: bytes, at: float) -> None:
        super().__init__(
            str(work),
            base_url + _METADATA_PATH,
            target_base_url=base_url + _TARGETS_PATH,
            fetcher=fetcher,
            bootstrap=root,
            config=UpdaterConfig(
                root_max_length=MAX_ROOT_BYTES,
                timestamp_max_length=MAX_TIMESTAMP_BYTES,
                snapshot_max_length=MAX_SNAPSHOT_BYTES,
                targets_max_length=MAX_TARGETS_ROLE_BYTES,
                max_delegations=trust_floor.MAX_ROLES,
            ),
        )
        if not isinstance(self._trusted_set.reference_time, dt.datetime):
            raise TypeError("tuf keeps its reference time elsewhere")
        self._trusted_set.reference_time = dt.datetime.fromtimestamp(at, dt.UTC)

    def versions(self) -> VerifiedVersions:
        """Return the verified versions; call after `refresh`."""
        verified = self._trusted_set
        online = (verified.root.roles["timestamp"], verified.root.roles["snapshot"])
        return VerifiedVersions(
            root=verified.root.version,
            timestamp=verified.timestamp.version,
            snapshot=verified.snapshot.version,
            roles={name.removesuffix(".json"): meta.version for name, meta in verified.snapshot.meta.items()},
            online_keys=frozenset(key for role in online for key in role.keyids),
            timestamp_expires=verified.timestamp.expires.timestamp(),
        )

    def names(self, role: str, prefix: str) -> list[str]:
        """Return the target paths that ``role`` lists below ``prefix``; none where the role is not delegated."""
        self.get_targetinfo(prefix)  # loads the role unless it is loaded
        signed = self._trusted_set.get(role)
        return [path for path in signed.targets if path.startswith(prefix)] if signed else []


class _NetworkFetcher(FetcherInterface):
    """Downloads for tuf, in the trio task that started this thread: a cancelled refresh ends at once."""

    def __init__(self, http: HttpGet) -> None:
        self._http = http

    async def _get(self, url: str, max_length: int) -> HttpAnswer:
        return await self._http.get(url, max_bytes=max_length)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        try:
            answer = trio.from_thread.run(self._get, url, max_length)
        except HttpError as error:
            if error.failure == "too_large":
                raise tuf_errors.DownloadLengthMismatchError(error.message) from error
            raise tuf_errors.DownloadError(error.message) from error
        if answer.status != 200:
            raise tuf_errors.DownloadHTTPError(f"HTTP {answer.status}", answer.status)
        return answer.body

    @contextlib.contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        yield io.BytesIO(self.download_bytes(url, max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("without a length cap nothing is fetched")


class _OfflineFetcher(_NetworkFetcher):
    """Serves tuf the stored timestamp, which it always downloads. Everything else must be in tuf's cache."""

    def __init__(self, timestamp: bytes) -> None:
        self._timestamp = timestamp

    def download_bytes(self, url: str, max_length: int) -> bytes:
        if url.endswith(f"{_METADATA_PATH}/timestamp.json") and len(self._timestamp) <= max_length:
            return self._timestamp
        raise tuf_errors.DownloadHTTPError("not on this PC's disk", 404)


def _document(updater: Updater, files: TrustFiles, target: str, max_bytes: int, scratch: Path) -> bytes:
    """Return a target's bytes, from disk or else the network. Raises `DocumentError`."""
    info = updater.get_targetinfo(target)
    if info is None:
        raise DocumentError(f"no trusted key has signed {target!r}")
    if info.length > max_bytes:
        raise DocumentError(f"{target!r} has {info.length} bytes, over the cap of {max_bytes}")
    sha256 = info.hashes.get("sha256", "")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DocumentError(f"{target!r} is signed without a SHA-256")
    stored = files.document(sha256, max_bytes)
    try:
        if stored is not None:
            info.verify_length_and_hashes(stored)  # the signed length, and hashes other than SHA-256
            return stored
        updater.download_target(info, str(scratch))
        data = scratch.read_bytes()
        info.verify_length_and_hashes(data)
    except tuf_errors.DownloadHTTPError as error:
        raise DocumentError(f"{target!r} cannot be had: {error}") from error
    except (tuf_errors.LengthOrHashMismatchError, tuf_errors.DownloadLengthMismatchError) as error:
        raise DocumentError(f"{target!r} on the seed server is not what was signed") from error
    files.keep_document(sha256, data)
    return data


def _words(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return "".join(ch if ch.isprintable() else "?" for ch in text)[:200]
