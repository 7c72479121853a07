"""Which patches this endpoint shall have, and which not, or not yet. Pure."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from p2pdist.shared.identifiers import PatchRef, TorrentHash, parse_torrent_hash
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry, Withdrawal
from p2pdist.shared.manifest.recalls import Recall
from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.suitability import Choice
from p2pdist.shared.manifest.template import Template
from p2pdist.shared.manifest.urgency import urgency_of
from p2pdist.trust.ring_rules import RingWait


@dataclass(frozen=True)
class CataloguePatch:
    """A patch that this endpoint shall have, with every document verified by TUF."""

    entry: RolloutEntry
    manifest: Manifest
    payload: Payload
    """The one of ``manifest.payloads`` that is for this PC."""
    torrent: bytes
    """The torrent file of ``payload``. The torrent engine compares its info-hash with the manifest's."""

    @cached_property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.manifest.ref

    @cached_property
    def urgency(self) -> int:
        """The lowest goes first."""
        return urgency_of(self.manifest.severity, emergency=self.manifest.schedule.emergency)


@dataclass(frozen=True)
class RefusedPatch:
    """A patch that the rollouts name and that this PC cannot use. It does not hold up the others."""

    entry: RolloutEntry
    reason: str


@dataclass(frozen=True)
class NotApplicable:
    """A patch that the rollouts name and that is not for this PC, or no longer: it may be installed already."""

    entry: RolloutEntry
    manifest: Manifest
    reason: str
    older: bool = False
    """Whether it is refused because the offline role says that a newer one has replaced it, wherever it applies."""
    shared: CataloguePatch | None = None
    """The patch, if the PC already has bytes of it: they are shared until the patch is withdrawn or superseded."""


@dataclass(frozen=True)
class NotYet:
    """A patch that is for this PC and waits for its rollout. It is not fetched; it may be installed already."""

    entry: RolloutEntry
    manifest: Manifest
    wait: RingWait
    shared: CataloguePatch | None = None
    """The patch, if the PC already has bytes of it: they are kept and shared; none of what was taken back here."""


@dataclass(frozen=True)
class RecalledPatch:
    """A publication that goes back on this PC, where it is installed."""

    ref: PatchRef
    recall: Recall
    manifest: Manifest | None
    """Its recipe has the way back; None: it cannot be had any more."""


Held: TypeAlias = tuple[PatchRef, str]
"""The patch and the torrent hash of bytes that this PC has."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that is accepted now."""

    timestamp_version: int
    patches: tuple[CataloguePatch, ...]
    """By ``entry.sequence``."""
    refused: tuple[RefusedPatch, ...]
    stale: str
    """A sentence for people when the metadata is older than half its life or has expired, else empty."""
    profile: SiteProfile | None = None
    """The throttle profile of this endpoint's site; None when it has none or the site is not known yet."""
    servers: ServerList | None = None
    """Where the server is; None: nothing that can be used is signed of that."""
    not_applicable: tuple[NotApplicable, ...] = ()
    """By ``entry.sequence``; these are never fetched."""
    not_yet: tuple[NotYet, ...] = ()
    """By ``entry.sequence``; none of these is begun to be fetched."""
    replaced: tuple[PatchRef, ...] = ()
    """What is offered, and a newer publication of the same id is there that this PC may have."""
    templates: tuple[Template, ...] = ()
    """Diagnosis templates, by name."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """What was offered and is not any more, with the reason."""
    recalls: tuple[Recall, ...] = ()
    """What goes back wherever it is installed, on any PC."""
    recalled: tuple[RecalledPatch, ...] = ()
    """Of what is installed on this PC, what goes back here."""
    checkpoint: bytes = field(default=b"", compare=False)
    """The newest checkpoint of the server's audit log, a signed note; empty: there is none."""
    log_anchor: bytes = field(default=b"", compare=False)
    """By which key that log is known, as the offline role has signed it; empty: it says nothing."""
    confirmed: bool = field(default=True, compare=False)
    """Whether the server has just sent it; false: it is what this PC accepted last, and may be long out of date."""
    passed_at: float = field(default=0.0, compare=False)
    """The time that the signed metadata proves to have passed, in seconds since 1970; 0: none."""
    expires_at: float = field(default=math.inf, compare=False)
    """Until when the server vouches for it, in seconds since 1970: nothing is begun by what has expired."""

    def wanted(self) -> dict[TorrentHash, tuple[CataloguePatch, ...]]:
        """Return the patches whose bytes belong on this PC: those that it shall have, and those that it shares.

        Several patches may have the same bytes. What is for this PC goes before what it only shares.
        """
        found: dict[TorrentHash, list[CataloguePatch]] = {}
        for patch in self.patches:
            found.setdefault(parse_torrent_hash(patch.payload.torrent_hash), []).append(patch)
        for skipped in self.skipped:
            if skipped.shared is not None:
                found.setdefault(parse_torrent_hash(skipped.shared.payload.torrent_hash), [skipped.shared])
        return {torrent: tuple(patches) for torrent, patches in found.items()}

    @property
    def skipped(self) -> tuple[NotApplicable | NotYet, ...]:
        """What is offered and not wanted now."""
        return (*self.not_applicable, *self.not_yet)

    @property
    def changes_at(self) -> float:
        """When what a patch waits for ends by itself, in seconds since 1970; infinite: nothing does."""
        return min((one.wait.until for one in self.not_yet if one.wait.until is not None), default=math.inf)


class DocumentError(Exception):
    """One document cannot be had in verified form; the text is a clause for people."""


Choose = Callable[[Manifest], Choice]

GetDocument = Callable[[str, int], bytes]
"""Takes a target path and a cap in bytes, returns the verified bytes. Raises `DocumentError`."""

Expect: TypeAlias = Callable[[Iterable[str]], object]
"""Is told which targets are asked for next, in this order, so that they can be got together; `tuple` tells nobody."""
