"""One refresh of TUF metadata: the top level first, then targets roles and documents as they are asked for.

Two kinds of metadata are kept in two ways:

* Root, timestamp and snapshot are kept, with the trust floor, as soon as each is
  verified (TUF 5.3.8, 5.4.5, 5.5.7), also when a later step fails. Whoever then
  withholds the new root and offers a revoked key's signature finds it refused.
* The targets roles are accepted as a whole, by `TufSession.accept`, or not at all:
  a refresh that ends half way leaves the last accepted state in force.
"""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import msgspec
from msgspec import structs
from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import TargetFile

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import (
    MAX_PAYLOADS,
    MAX_TORRENT_BYTES,
    TORRENT_NAME_CHARS,
    TORRENTS_FIELD,
    TORRENTS_PREFIX,
)
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PART_TARGETS
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.catalogue import DocumentError
from p2pdist.trust.files import TrustFiles
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor
from p2pdist.trust.http_answers import HttpGet
from p2pdist.trust.presenting import has_all
from p2pdist.trust.roots import newest_root, trusts_targets
from p2pdist.trust.tuf_client import (
    AskNews,
    NetworkFetcher,
    OfflineFetcher,
    RepositoryPlace,
    TufClient,
    snapshot_named_by,
)

MAX_SPARE_BYTES = 32 << 20  # of documents that this PC does not need: manifests of ten thousand patches
PROFILES_PREFIX = "profiles/"

_SHA256 = re.compile("[0-9a-f]{64}")

log = lazy_log()


@dataclass(frozen=True)
class ServerWord:
    """What the server has said of its newest timestamp."""

    timestamp: bytes = b""
    """Empty: it is the one that was verified last."""
    root: int | None = None
    """The version of its newest root; None: as it was then."""


class _Torrent(msgspec.Struct, array_like=True, frozen=True):
    """Length in bytes and SHA-256 of a torrent file."""

    length: Annotated[int, msgspec.Meta(ge=0, le=MAX_TORRENT_BYTES)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


_Torrents = Annotated[dict[str, _Torrent], msgspec.Meta(max_length=MAX_PAYLOADS)]


def _torrents_beside(custom: object) -> dict[str, _Torrent]:
    """Return what an entry says of torrents; nothing where it is of another form: they are looked up then."""
    try:
        return msgspec.convert(custom, dict[str, _Torrents]).get(TORRENTS_FIELD, {})
    except msgspec.ValidationError:
        return {}


class TufSession:
    """One refresh; all its methods run in one thread, which trio has started.

    They raise tuf's errors (`errors.translated_errors` puts them into words), and
    `OSError` where something that must be kept cannot be written.
    """

    def __init__(
        self,
        files: TrustFiles,
        accepted: AcceptedMetadata | None,
        client: TufClient,
        fetcher: NetworkFetcher,
        said: ServerWord | None = None,
    ) -> None:
        """For `online` and `offline`."""
        self._files = files
        self._accepted = accepted
        self._client = client
        self._fetcher = fetcher
        self._said = said
        self._expected: set[str] = set()
        """The targets that `expect` was told of."""
        self._found: dict[str, TargetFile] = {}
        """What was looked up in this refresh: a walk through dozens of roles takes as long as all else that is done."""
        self._torrents: dict[str, _Torrent] = {}
        """What the entries of manifests say of torrents, by the beginning of their hash."""

    @classmethod
    def online(
        cls,
        files: TrustFiles,
        place: RepositoryPlace,
        http: HttpGet,
        now: float,
        ask_news: AskNews | None = None,
        said: ServerWord | None = None,
    ) -> "TufSession":
        """Start from what ``files`` holds. ``now`` is seconds since 1970; ``ask_news`` as in `NetworkFetcher`.

        ``said``: what need not be asked for, if its snapshot is the accepted one. Believed as far as it is signed.
        """
        verified, accepted = files.load()
        roles = accepted.roles if accepted else {}
        at = trust_floor.reference_time(verified.floor, now)
        fetcher = NetworkFetcher(http, place, ask_news, partial(_older, files, roles))
        client = TufClient(place, fetcher, at, verified, roles, files.keep_verified)
        return cls(files, accepted, client, fetcher, said)

    @classmethod
    def offline(cls, files: TrustFiles, place: RepositoryPlace) -> "TufSession | None":
        """Return a session of the last accepted state alone, which downloads and keeps nothing; None without one.

        That state is judged as of its acceptance: by the roots and at the time of then. New online keys do not end
        it, so whoever cuts the line after their root takes nothing from a PC that restarts. A root that replaces the
        key of the targets role does: what that key has signed may be a thief's.
        """
        verified, accepted = files.load()
        if accepted is None:
            return None
        if not trusts_targets(newest_root(verified, place.root), accepted.roles.get("targets", b"")):
            log.warning("a newer root has revoked what signed the stored metadata")
            return None
        then, at = trust_floor.top_level(accepted), accepted.accepted_at
        fetcher = OfflineFetcher(then.timestamp)
        client = TufClient(place, fetcher, at, then, accepted.roles, lambda _: None)
        return cls(files, accepted, client, fetcher)

    @property
    def floor(self) -> TrustFloor:
        """The floor, raised by what has been verified so far."""
        return self._client.floor

    def refresh(self) -> None:
        """Verify root, timestamp, snapshot and the top-level targets role, and keep the first three."""
        # the roles that are known are those accepted: a refresh that broke off may have verified a newer snapshot
        known = self._accepted.floor.snapshot if self._accepted else 0
        root = self._client.root_version
        timestamp = self._told_timestamp(root)
        if timestamp and snapshot_named_by(timestamp) == known:
            self._fetcher.believe(timestamp, root)
        else:
            self._fetcher.hear_news(root, known)
        self._client.refresh()
        self._client.raise_floor()  # where nothing was new, nothing has been compared with the floor yet

    def _told_timestamp(self, root: int) -> bytes:
        """Return the timestamp that the server has told of; empty where it has to be asked for, with a newer root."""
        if self._said is None or self._said.root not in (None, root):
            return b""
        return self._said.timestamp or self._client.verified().timestamp

    def has(self, target: str) -> bool:
        """Return whether a trusted key has signed ``target``."""
        return self._info(target) is not None

    def get(self, target: str, max_bytes: int) -> bytes:
        """Return a target's bytes, from disk or else the network. Raises `DocumentError`."""
        info = self._info(target)
        if info is None:
            raise DocumentError(f"no trusted key has signed {target!r}")
        if info.length > max_bytes:
            raise DocumentError(f"{target!r} has {info.length} bytes, over the cap of {max_bytes}")
        sha256 = info.hashes.get("sha256", "")
        if not _SHA256.fullmatch(sha256):
            raise DocumentError(f"{target!r} is signed without a SHA-256")
        stored = self._files.document(sha256, max_bytes)
        try:
            data = self._client.download(info, sha256) if stored is None else stored
            info.verify_length_and_hashes(data)  # the signed length, and hashes other than SHA-256
        except tuf_errors.DownloadHTTPError as error:
            raise DocumentError(f"{target!r} cannot be had: {error}") from error
        except (tuf_errors.LengthOrHashMismatchError, tuf_errors.DownloadLengthMismatchError) as error:
            raise DocumentError(f"{target!r} on the seed server is not what was signed") from error
        if stored is None:
            # hundreds of them would wait for the disk, each twice; those that a power cut takes are fetched again
            self._files.keep_document(sha256, data, lasting=target not in self._expected)
        return data

    def expect(self, targets: Iterable[str]) -> None:
        """Prepare for `get` of these targets, in this order: those that are not on disk come together."""
        places = []
        for target in targets:
            self._expected.add(target)
            info = self._info(target)
            sha256 = info.hashes.get("sha256", "") if info else ""
            if info and not self._files.has_document(sha256, info.length):
                places.append(self._client.place(info, sha256))
        self._fetcher.expect(places)

    def _info(self, target: str) -> TargetFile | None:
        """Return what is signed of ``target``; None: nothing.

        A manifest says so of its torrents: the roles that list thousands of them need not be fetched.
        """
        name = target.removeprefix(TORRENTS_PREFIX)
        if name != target and (torrent := self._torrents.get(name[:TORRENT_NAME_CHARS])):
            return TargetFile(torrent.length, {"sha256": torrent.sha256}, target)
        if target in self._found:
            return self._found[target]
        info: TargetFile | None = self._client.get_targetinfo(target)
        if info is not None:
            self._found[target] = info
            self._torrents |= _torrents_beside(info.custom)
        return info

    def names(self, role: str, prefix: str) -> list[str]:
        """Return the target paths that ``role`` lists below ``prefix``; none where the role is not delegated."""
        return self._client.names(role, prefix)

    @property
    def kept_all(self) -> bool:
        """Whether the last accepted state is complete: this PC keeps what it needs not, for others."""
        return self._accepted is not None and has_all(self._accepted, self._accepted.floor)

    def keep_all(self, complete: int) -> bool:
        """Get every role that the snapshot names, and every document that they list; return whether all could be had.

        ``complete``: the snapshot as of which all of it is here; 0: none. Torrents lie on the PCs that have their
        files, profiles at their sites, and the order of publications in its parts.
        """
        with contextlib.suppress(tuf_errors.DownloadError, tuf_errors.RepositoryError):  # what is needed is here
            if complete:
                self._fetcher.hear_everything(self._client.root_version, complete)
            left = MAX_SPARE_BYTES
            wanted = []
            listed = self._client.all_targets()
            elsewhere = [TORRENTS_PREFIX, PROFILES_PREFIX]
            if any(info.path in PART_TARGETS for info in listed):
                elsewhere.append(ORDER_TARGET)
            for info in listed:
                if info.length <= left and (info.path in PART_TARGETS or not info.path.startswith(tuple(elsewhere))):
                    left -= info.length
                    wanted.append(info)
                    self._found.setdefault(info.path, info)
            self.expect(info.path for info in wanted)
            for info in wanted:
                with contextlib.suppress(DocumentError):
                    self.get(info.path, info.length)
            return True
        return False

    def accept(self, *, drop_unused: bool) -> None:
        """Keep everything that was verified as the last accepted state; ``drop_unused``: only its documents."""
        client, before = self._client, self._accepted
        roots, roles = client.verified().roots, client.roles()
        if before is None or (before.roots, before.roles) != (roots, roles):
            floor = structs.replace(client.floor, acceptances=client.floor.acceptances + 1)
            self._files.keep_accepted(AcceptedMetadata(accepted_at=client.at, roots=roots, roles=roles, floor=floor))
            client.floor = floor
        self._files.keep_verified(client.verified())
        if drop_unused:
            self._files.drop_unused_documents()


def _older(files: TrustFiles, roles: Mapping[str, bytes], path: str) -> bytes | None:
    """Return the file at ``path`` below ``/tuf/`` as it was accepted last: a role, or a document by its hash."""
    kind, _, place = path.partition("/")
    first, _, name = place.rpartition("/")[2].partition(".")
    if kind == "metadata":
        return roles.get(name.removesuffix(".json"))
    return files.document(first, MAX_TORRENT_BYTES) if _SHA256.fullmatch(first) else None
