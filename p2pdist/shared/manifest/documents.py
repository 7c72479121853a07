"""Two documents that are signed as TUF targets: `Manifest` describes a patch, `Rollouts` names those to get. Pure."""

import re
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.identifiers import (
    InvalidIdentifierError,
    PatchId,
    PatchRef,
    PatchVersion,
    Sha256Hex,
    TorrentHash,
    check_relation,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
    parse_sha256,
    parse_torrent_hash,
)
from p2pdist.shared.manifest.cves import Cves
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, parse_expression
from p2pdist.shared.manifest.publication_order import PublicationNumber
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    Checks,
    DebInstall,
    HealthCheck,
    Install,
    MsuInstall,
    RpmInstall,
    ScheduleRules,
)
from p2pdist.shared.manifest.recipe_checks import RecipeError, check_checks, check_install, check_schedule
from p2pdist.shared.manifest.relations import MAX_RELATIONS, OrderedPatch
from p2pdist.shared.manifest.urgency import urgency_of
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document, Record

MAX_MANIFEST_BYTES = 256 << 10  # long scripts belong in the payload, not in the recipe
MAX_ROLLOUTS_BYTES = 1 << 20  # MAX_ROLLOUT_ENTRIES of under 300 bytes each, with room
MAX_TORRENT_BYTES = 4 << 20  # 65 536 pieces × 32 bytes of hash, with room
MAX_TARGETS_ROLE_BYTES = (
    5 << 20
)  # of a larger one endpoints refuse everything; release 0.2.0 listed 8 000 patches in it
MAX_TITLE_CHARS = 200  # a line of a table
MAX_TITLES = 20  # languages
MAX_PAYLOADS = 64  # platforms × languages × deltas of one patch
MAX_ROLLOUT_ENTRIES = 2_000  # patches offered to a fleet at the same time
MAX_PAYLOAD_BYTES = 1 << 40
MAX_WITHDRAWALS = 400  # each under 1 kB, so that the rollouts stay below MAX_ROLLOUTS_BYTES; the oldest are forgotten
MAX_REASON_CHARS = 200  # a line of a table

ROLLOUTS_TARGET = "rollouts/current"
TORRENTS_PREFIX = "torrents/"
TORRENTS_FIELD = "torrents"
"""In TUF's ``custom`` of a manifest's entry: length and SHA-256 of each torrent file, by the beginning of its hash."""
TORRENT_NAME_CHARS = 8  # of a torrent's hash: a patch has at most MAX_PAYLOADS of them
TIMESTAMP_ISSUED_FIELD = "x-p2pdist-issued"
"""A field of our own in TUF's timestamp: when it was signed, in whole seconds since 1970."""

Platform = Annotated[str, msgspec.Meta(max_length=40)]
Titles = Annotated[
    dict[
        Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}\Z")],
        Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE_CHARS)],
    ],
    msgspec.Meta(max_length=MAX_TITLES),
]
"""Titles by language, as the two or three letters of its code: ``ja``."""
Relations = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=129)], ...], msgspec.Meta(max_length=MAX_RELATIONS)]
_VARIANT_WORD = re.compile(r"[a-z0-9_-]*")

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]


class Payload(Record, frozen=True):
    """One file of a patch: how it is shared, how it is verified, and for which PCs it is."""

    file_name: str
    length_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAYLOAD_BYTES)]
    sha256: str
    torrent_hash: str
    """v2 info-hash of the torrent that carries the file."""
    platform: Platform = ""
    """A value of the fact ``os.family``, or ``linux`` for every Linux; empty: any."""
    arch: Platform = ""
    """A value of the fact ``arch``; empty: any."""
    language: Platform = ""
    """Such as ja-jp, en-us, zh-cn, or only ja; empty: any."""


class Manifest(Document, frozen=True):
    """Describes one patch. Signed by the offline ``patches`` role."""

    format: Literal[1]
    patch_id: str
    version: str
    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)]
    severity: Severity
    cvss: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] | None
    published_at: Annotated[int, msgspec.Meta(ge=0)]
    """Seconds since 1970, UTC."""
    payloads: Annotated[list[Payload], msgspec.Meta(min_length=1, max_length=MAX_PAYLOADS)]
    """Variants of the patch: a PC takes the one that suits it best, and of equals the first."""
    requires: Relations = ()
    """Patches (each ID or ID@VERSION, as in the next two) that must be installed before this one."""
    supersedes: Relations = ()
    """Patches that this one replaces."""
    conflicts: Relations = ()
    """Patches that must not be installed together with this one."""
    applies_to: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)] = ""
    """An expression; empty: for every PC."""
    install: Install | None = None
    """None: the file is delivered only."""
    detect: Checks = ()
    """The patch is installed where all of these hold."""
    health: HealthCheck | None = None
    schedule: ScheduleRules = ScheduleRules()
    number: PublicationNumber = 1
    """Grows with each publication of this id, whatever its version is called; see `publication_order`."""
    replaces: Annotated[dict[str, PublicationNumber], msgspec.Meta(max_length=MAX_RELATIONS)] = msgspec.field(
        default_factory=dict
    )
    """What ``supersedes`` meant when it was published: per id, the last number that it replaces.

    A PC that has had this patch installs none of them again, also if the rollouts name this patch no more.
    """
    downgrade: bool = False
    """Whether it goes back to what was published before, on purpose: package managers are told to do so."""
    titles: Titles | msgspec.UnsetType = msgspec.UNSET
    """``title`` in other languages. Left out where there is none: release 0.2.0 ignores nothing."""
    cves: Cves | msgspec.UnsetType = msgspec.UNSET
    """The weaknesses that it mends. Left out where none is named, likewise."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it describes."""
        return PatchRef(self.patch_id, self.version)

    @property
    def other_titles(self) -> dict[str, str]:
        """Its title in other languages, by their codes."""
        return {} if isinstance(self.titles, msgspec.UnsetType) else self.titles

    @property
    def mended_cves(self) -> tuple[str, ...]:
        """The weaknesses that it says it mends: ``CVE-2026-1234``; empty: it names none."""
        return () if isinstance(self.cves, msgspec.UnsetType) else self.cves


class RolloutEntry(Document, frozen=True):
    """One patch that endpoints shall have."""

    patch_id: str
    version: str
    sequence: Annotated[int, msgspec.Meta(ge=1)]
    """Grows with each publication. Of two patches, the one with the lower number is fetched first."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)


class Withdrawal(Document, frozen=True):
    """A patch that was offered and is taken back: nobody fetches it or begins to install it."""

    patch_id: str
    version: str
    sequence: Annotated[int, msgspec.Meta(ge=1)]
    """What its entry had; it has that again when it is offered again."""
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON_CHARS)]
    """Why, for people."""
    at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
    """Since when, in seconds since 1970."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)


class Rollouts(Document, frozen=True):
    """Which patches endpoints shall have now, and which no more. Signed by the online ``rollouts`` role."""

    format: Literal[1]
    entries: Annotated[list[RolloutEntry], msgspec.Meta(max_length=MAX_ROLLOUT_ENTRIES)]
    withdrawn: Annotated[tuple[Withdrawal, ...], msgspec.Meta(max_length=MAX_WITHDRAWALS)] = ()
    """The newest last. That a patch is here explains; what takes it away is that it is not in ``entries``."""


def manifest_target(patch_id: PatchId, version: PatchVersion) -> str:
    """Return the TUF target path of a patch's manifest."""
    return f"patches/{patch_id}@{version}.manifest"


def torrent_target(torrent_hash: TorrentHash) -> str:
    """Return the TUF target path of a torrent file."""
    return f"{TORRENTS_PREFIX}{torrent_hash}.torrent"


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as a TUF target's bytes."""
    return codec.encode(manifest)


def decode_manifest(data: bytes) -> Manifest:
    """Return a checked manifest. Raises `DecodeError` for a wrong shape, name or hash."""
    manifest: Manifest = codec.decode(data, Manifest, max_bytes=MAX_MANIFEST_BYTES)
    try:
        parse_patch_id(manifest.patch_id)
        parse_patch_version(manifest.version)
        for payload in manifest.payloads:
            parse_file_name(payload.file_name)
            parse_sha256(payload.sha256)
            parse_torrent_hash(payload.torrent_hash)
        check_recipe(manifest)
    except (InvalidIdentifierError, RecipeError) as error:
        raise DecodeError(str(error)) from error
    return manifest


def check_recipe(manifest: Manifest) -> None:
    """Raise `RecipeError` or `InvalidIdentifierError` for a recipe that no PC could carry out, or no one could read."""
    for where, title in (
        ("title", manifest.title),
        *((f"titles, {key}", v) for key, v in manifest.other_titles.items()),
    ):
        if not title.isprintable():
            raise RecipeError(where, "it has a character that cannot be printed")
    _check_whom(manifest)
    check_checks("detect", manifest.detect)
    check_schedule(manifest.schedule)
    if manifest.install is not None:
        check_install(manifest.install)
        if not manifest.detect and not isinstance(
            manifest.install, ArchiveInstall | DebInstall | RpmInstall | MsuInstall
        ):
            raise RecipeError(
                "detect", "say how a PC can tell that it is installed: the exit code alone proves nothing"
            )
    if manifest.health is not None:
        if manifest.install is None:
            raise RecipeError("health", "nothing is installed whose health could be looked at; add install")
        check_checks("health", manifest.health.checks)


def _check_whom(manifest: Manifest) -> None:
    for relation in (*manifest.requires, *manifest.supersedes, *manifest.conflicts, *manifest.replaces):
        check_relation(relation)
    if manifest.applies_to:
        try:
            parse_expression(manifest.applies_to)
        except ExpressionError as error:
            raise RecipeError("applies_to", str(error)) from error
    for payload in manifest.payloads:
        for word in (payload.platform, payload.arch, payload.language):
            if not _VARIANT_WORD.fullmatch(word):
                raise RecipeError("payload", f"{word!r} is not of lower-case letters, digits, - and _")


def ordered_patch(manifest: Manifest, sequence: int) -> OrderedPatch:
    """Return the relations of ``manifest`` to other patches; ``sequence`` is that of its publication."""
    urgency = urgency_of(manifest.severity, emergency=manifest.schedule.emergency)
    relations = (manifest.requires, manifest.supersedes, manifest.conflicts)
    return OrderedPatch(manifest.ref, sequence, *relations, urgency=urgency)


def encode_rollouts(rollouts: Rollouts) -> bytes:
    """Return the rollouts document as a TUF target's bytes."""
    return codec.encode(rollouts)


def decode_rollouts(data: bytes) -> Rollouts:
    """Return a checked rollouts document. Raises `DecodeError`."""
    rollouts: Rollouts = codec.decode(data, Rollouts, max_bytes=MAX_ROLLOUTS_BYTES)
    try:
        for ref in (one.ref for part in (rollouts.entries, rollouts.withdrawn) for one in part):
            parse_patch_id(ref.patch_id)
            parse_patch_version(ref.version)
    except InvalidIdentifierError as error:
        raise DecodeError(str(error)) from error
    if not all(withdrawal.reason.isprintable() for withdrawal in rollouts.withdrawn):
        raise DecodeError("the reason of a withdrawal has a character that cannot be printed")
    return rollouts


__all__ = [
    "DecodeError",
    "Manifest",
    "PatchId",
    "PatchVersion",
    "Payload",
    "RolloutEntry",
    "Rollouts",
    "Severity",
    "Sha256Hex",
    "Withdrawal",
    "decode_manifest",
    "decode_rollouts",
    "encode_manifest",
    "encode_rollouts",
    "manifest_target",
    "ordered_patch",
    "torrent_target",
]
