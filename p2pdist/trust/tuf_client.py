"""tuf's client with metadata in memory, a given reference time, and a trust floor that rises with each step.

Nothing is verified in files: a full disk does not hinder it. What tuf would write
to its directory goes to a callback instead, with the floor.
"""

import contextlib
import datetime as dt
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Protocol, TypeAlias
from urllib.parse import quote

import trio
from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata, TargetFile, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES, TIMESTAMP_ISSUED_FIELD
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.differences import apply
from p2pdist.shared.wire.trust_news import (
    BATCH_FIELD,
    MAX_BATCH_QUERY_CHARS,
    MAX_BATCH_TARGETS,
    MAX_NEWS_ANSWER_BYTES,
    MAX_UNPACKED_SHARED_NEWS_BYTES,
    ChangedFile,
    TrustNews,
    decode_news,
)
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import VerifiedMetadata, VerifiedVersions
from p2pdist.trust.http_answers import HttpAnswer, HttpError, HttpGet
from p2pdist.trust.roots import MAX_ROOT_BYTES

MAX_TIMESTAMP_BYTES = 16 << 10  # one entry and a few signatures
MAX_SNAPSHOT_BYTES = 64 << 10  # MAX_ROLES entries


class AskNews(Protocol):
    """A quicker way to the news than by HTTPS; each returns an encoded `TrustNews`, or None: it cannot be had so."""

    async def ask(self, root: int, snapshot: int) -> bytes | None:
        """Ask what has changed since a root and a snapshot."""

    async def ask_everything(self, root: int, snapshot: int) -> bytes | None:
        """Ask the same, also of what this PC keeps for others alone."""


FindOlder: TypeAlias = Callable[[str], bytes | None]
"""Returns what this PC has of an older file, by its path below ``/tuf/``."""

_OVERRIDDEN = ("_load_local_metadata", "_persist_metadata", "_persist_root", "_update_root_symlink", "_load_targets")


@dataclass(frozen=True)
class RepositoryPlace:
    """Where a repository is, and the root from which everything in it is verified."""

    metadata_url: str
    targets_url: str
    root: bytes
    news_url: str | None = None
    """Where `TrustNews` may be had, with ``{root}`` and ``{snapshot}`` for what is known; None: a plain repository."""
    batch_url: str | None = None
    """Where several targets may be had in one answer; None: a plain repository."""


def snapshot_named_by(timestamp: bytes) -> int | None:
    """Return the version of the snapshot that a timestamp names; None where it is no timestamp. Nothing is verified."""
    try:
        version: int = Metadata[Timestamp].from_bytes(timestamp).signed.snapshot_meta.version
    except (DeserializationError, AttributeError):  # no metadata, or of another role
        return None
    return version


class TufClient(Updater):
    """One refresh. ``at`` is the time by which expiry is judged, ``floor`` what has been verified so far.

    tuf has a public way to no memory, time or floor of ours, so this uses private names.
    Should a release of tuf remove them, this raises: better to accept nothing than to
    forget a floor. Its methods raise tuf's errors, and what ``keep`` raises.
    """

    def __init__(  # where from, as of when, and what is known before
        self,
        place: RepositoryPlace,
        fetcher: FetcherInterface,
        at: float,
        verified: VerifiedMetadata,
        roles: Mapping[str, bytes],
        keep: Callable[[VerifiedMetadata], None],
    ) -> None:
        self.at = at
        self.floor = verified.floor
        self._keep = keep
        self._known = False
        self._roots: dict[str, bytes] = {}
        self._metadata = {**roles, "timestamp": verified.timestamp, "snapshot": verified.snapshot}
        self._targets_url = place.targets_url
        super().__init__(
            os.devnull,  # no directory: nothing is read from it or written to it
            place.metadata_url,
            fetcher=fetcher,
            bootstrap=place.root,
            config=UpdaterConfig(
                root_max_length=MAX_ROOT_BYTES,
                timestamp_max_length=MAX_TIMESTAMP_BYTES,
                snapshot_max_length=MAX_SNAPSHOT_BYTES,
                targets_max_length=MAX_TARGETS_ROLE_BYTES,
                max_delegations=trust_floor.MAX_ROLES,
            ),
        )
        if not all(callable(getattr(Updater, name, None)) for name in _OVERRIDDEN):
            raise TypeError("tuf keeps its metadata elsewhere")
        if not isinstance(self._trusted_set.reference_time, dt.datetime):
            raise TypeError("tuf keeps its reference time elsewhere")
        self._trusted_set.reference_time = dt.datetime.fromtimestamp(at, dt.UTC)
        with contextlib.suppress(tuf_errors.RepositoryError):  # those that do not fit are downloaded anew
            for version, known in sorted(verified.roots.items(), key=lambda item: int(item[0])):
                self._trusted_set.update_root(known)
                self._roots[version] = known
        self._known = True

    @property
    def root_version(self) -> int:
        """The version of the newest root that is known."""
        version: int = self._trusted_set.root.version
        return version

    def raise_floor(self) -> None:
        """Raise the floor by what has been verified. Raises `BadVersionNumberError` for what is below it."""
        seen = self._versions()
        if reason := trust_floor.refusal(self.floor, seen):
            raise tuf_errors.BadVersionNumberError(reason)
        if trust_floor.restarts(self.floor, seen) and seen.timestamp is None:
            self._metadata["timestamp"] = self._metadata["snapshot"] = b""  # TUF 5.3.11
        self.floor = trust_floor.raised(self.floor, seen, self.at)

    def verified(self) -> VerifiedMetadata:
        """Return the top level as verified so far, with the floor."""
        timestamp, snapshot = self._metadata["timestamp"], self._metadata["snapshot"]
        return VerifiedMetadata(roots=dict(self._roots), timestamp=timestamp, snapshot=snapshot, floor=self.floor)

    def roles(self) -> dict[str, bytes]:
        """Return the metadata of all roles but root; tuf has not fetched a role that no document needed."""
        names = ("timestamp", "snapshot", *(self._versions().roles or ()))
        return {name: self._metadata[name] for name in names if name in self._metadata}

    def names(self, role: str, prefix: str) -> list[str]:
        """Return the target paths that ``role`` lists below ``prefix``; none where the role is not delegated."""
        self.get_targetinfo(prefix)  # loads the role unless it is loaded
        signed = self._trusted_set.get(role)
        return [path for path in signed.targets if path.startswith(prefix)] if signed else []

    def all_targets(self) -> list[TargetFile]:
        """Return what every role lists that the snapshot names; all of them are loaded for it."""
        waiting, found = [("targets", "root")], {}
        for role, delegator in waiting:
            signed = self._load_targets(role, delegator)
            found.update(signed.targets)
            if signed.delegations is not None and signed.delegations.roles:
                named = self._trusted_set.snapshot.meta
                waiting += [(name, role) for name in signed.delegations.roles if f"{name}.json" in named]
        return list(found.values())

    def place(self, info: TargetFile, sha256: str) -> str:
        """Return where the target lies, below the place of all targets."""
        directory, slash, name = info.path.rpartition("/")
        if self._trusted_set.root.consistent_snapshot:
            name = f"{sha256}.{name}"
        return f"{directory}{slash}{name}"

    def download(self, info: TargetFile, sha256: str) -> bytes:
        """Return what lies in the target's place, of at most its signed length; not verified yet."""
        return self._fetcher.download_bytes(f"{self._targets_url}/{self.place(info, sha256)}", info.length)

    def _versions(self) -> VerifiedVersions:
        verified = self._trusted_set
        root = verified.root
        online = frozenset(key for role in ("timestamp", "snapshot") for key in root.roles[role].keyids)
        seen = VerifiedVersions(root=root.version, online_keys=online)
        if "timestamp" in verified:
            timestamp = verified.timestamp
            seen = replace(
                seen,
                timestamp=timestamp.version,
                timestamp_expires=timestamp.expires.timestamp(),
                issued=trust_floor.issued_at(timestamp.unrecognized_fields.get(TIMESTAMP_ISSUED_FIELD)),
                snapshot=timestamp.snapshot_meta.version,
            )
        if "snapshot" in verified:
            meta = verified.snapshot.meta.items()
            seen = replace(seen, roles={name.removesuffix(".json"): file.version for name, file in meta})
        return seen

    # --- what tuf does with files ---------------------------------------------------------

    def _load_local_metadata(self, rolename: str) -> bytes:
        if data := self._metadata.get(rolename):
            return data
        raise FileNotFoundError(rolename)

    def _persist_metadata(self, rolename: str, data: bytes) -> None:
        top_level = rolename in {"timestamp", "snapshot"}
        if top_level:
            self.raise_floor()
        self._metadata[rolename] = data
        if top_level:
            self._keep(self.verified())

    def _persist_root(self, version: int, data: bytes) -> None:
        if self._known:  # tuf's constructor persists the enrolled root, which the identity holds
            self.raise_floor()
            self._roots[str(version)] = data
            self._keep(self.verified())

    def _update_root_symlink(self) -> None:
        pass


class NetworkFetcher(FetcherInterface):
    """Downloads for tuf, in the trio task that started this thread: a cancelled refresh ends at once."""

    def __init__(
        self,
        http: HttpGet,
        place: RepositoryPlace,
        ask_news: AskNews | None = None,
        older: FindOlder = lambda _: None,
    ) -> None:
        """``ask_news``: a quicker way to the news than ``place.news_url``, which is asked where that has none.

        ``older`` finds what new files may be made of.
        """
        self._http = http
        self._ask_news = ask_news
        self._older = older
        self._place = place
        self._news: dict[str, bytes | ChangedFile | None] = {}
        self._expected: dict[str, None] = {}

    async def _get(self, url: str, max_length: int) -> HttpAnswer:
        return await self._http.get(url, max_bytes=max_length)

    def hear_news(self, root: int, snapshot: int) -> None:
        """Get what has changed since these versions in one answer, from a server that gives one.

        Raises tuf's `DownloadError` where it does not answer at all. One that is only slow is asked for each file:
        these are smaller, and what has come of them is kept.
        """
        place = self._place
        if place.news_url is None:
            return
        try:
            answer = trio.from_thread.run(self._ask_news.ask, root, snapshot) if self._ask_news else None
            if answer is None:
                answer = self.download_bytes(place.news_url.format(root=root, snapshot=snapshot), MAX_NEWS_ANSWER_BYTES)
            news = decode_news(answer, max_bytes=MAX_UNPACKED_SHARED_NEWS_BYTES)
        except (tuf_errors.DownloadHTTPError, tuf_errors.DownloadLengthMismatchError, DecodeError):
            return
        except tuf_errors.DownloadError as error:
            if isinstance(error.__cause__, HttpError) and error.__cause__.failure == "too_slow":
                return
            raise
        self._take(news)

    def hear_everything(self, root: int, snapshot: int) -> None:
        """Get what has changed since, also of what this PC keeps for others alone, where it can be had in one answer.

        What does not come so is asked for file by file.
        """
        answer = trio.from_thread.run(self._ask_news.ask_everything, root, snapshot) if self._ask_news else None
        if answer is not None:
            with contextlib.suppress(DecodeError):
                self._take(decode_news(answer))

    def believe(self, timestamp: bytes, root: int) -> None:
        """Ask neither for the timestamp nor for a root after version ``root``: it is verified as if it had come so."""
        self._take(TrustNews({"metadata/timestamp.json": timestamp, f"metadata/{root + 1}.root.json": None}))

    def expect(self, places: Iterable[str]) -> None:
        """Prepare for downloads of these targets, in this order: the first one brings others with it."""
        if self._place.batch_url is not None:
            self._expected.update((f"{self._place.targets_url}/{place}", None) for place in places)

    def _fetch_batch(self, first: str) -> None:
        """Get ``first`` and those that are expected next in one answer; what does not come is asked for by itself."""
        urls = [first, *itertools.islice((url for url in self._expected if url != first), MAX_BATCH_TARGETS - 1)]
        query, named = "", 0
        for url in urls:
            longer = f"{query}&{BATCH_FIELD}={quote(url.removeprefix(f'{self._place.targets_url}/'))}"
            if len(longer) > MAX_BATCH_QUERY_CHARS:
                break
            query, named = longer, named + 1
        del self._expected[first]
        if named < 2:
            return
        with contextlib.suppress(tuf_errors.DownloadError, DecodeError):
            answer = self.download_bytes(f"{self._place.batch_url}?{query[1:]}", MAX_NEWS_ANSWER_BYTES)
            self._take(decode_news(answer))
            came = [n for n, url in enumerate(urls[:named]) if url in self._news]
            # those after the last that came found no room: they come with the next
            for url in urls[1 : came[-1] + 1 if came else named]:
                del self._expected[url]
            return
        self._expected.clear()  # it is no server that gives batches, or it is too slow for them

    def _take(self, news: TrustNews) -> None:
        base_urls = {"metadata": self._place.metadata_url, "targets": self._place.targets_url}
        for path, told in (*news.files.items(), *news.changed.items()):
            kind, _, name = path.partition("/")
            self._news[f"{base_urls.get(kind)}/{name}"] = told

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return the answer, of at most ``max_length`` bytes. Raises tuf's `DownloadError` and its kinds."""
        if url in self._expected and url not in self._news:
            self._fetch_batch(url)
        if url in self._news:
            told = self._news.pop(url)
            data = self._made(told, max_length) if isinstance(told, ChangedFile) else self._heard(told, max_length)
            if data is not None:
                return data
        try:
            answer = trio.from_thread.run(self._get, url, max_length)
        except HttpError as error:
            if error.failure == "too_large":
                raise tuf_errors.DownloadLengthMismatchError(error.message) from error
            raise tuf_errors.DownloadError(error.message) from error
        if answer.status != 200:
            raise tuf_errors.DownloadHTTPError(f"HTTP {answer.status}", answer.status)
        return answer.body

    def _made(self, told: ChangedFile, max_length: int) -> bytes | None:
        """Return the file that is told by its difference; None: it cannot be made of what is on this PC."""
        older = self._older(told.older)
        with contextlib.suppress(DecodeError):
            return None if older is None else apply(told.difference, older, max_bytes=max_length)
        return None

    @staticmethod
    def _heard(data: bytes | None, max_length: int) -> bytes:
        if data is None:
            raise tuf_errors.DownloadHTTPError("HTTP 404", 404)
        if len(data) > max_length:
            raise tuf_errors.DownloadLengthMismatchError(f"{len(data)} bytes, over the cap of {max_length}")
        return data

    @contextlib.contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Yield the same in a file. Raises as `download_bytes`."""
        yield io.BytesIO(self.download_bytes(url, max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("without a length cap nothing is fetched")


class OfflineFetcher(NetworkFetcher):
    """Serves tuf the stored timestamp, which it always downloads. Everything else must be in memory."""

    def __init__(self, timestamp: bytes) -> None:
        self._timestamp = timestamp

    def hear_news(self, root: int, snapshot: int) -> None:
        """There are none."""

    def expect(self, places: Iterable[str]) -> None:
        """Nothing is downloaded."""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return the stored timestamp. Raises `DownloadHTTPError` (404) for everything else."""
        if url.endswith("/timestamp.json") and len(self._timestamp) <= max_length:
            return self._timestamp
        raise tuf_errors.DownloadHTTPError("not on this PC's disk", 404)
