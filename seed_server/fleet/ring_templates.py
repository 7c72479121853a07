"""Templates of rollouts: rings as people write them in TOML, and what they become in a plan. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from bandwidth.core.quantities import QuantityError, parse_duration
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import MAX_TITLE_CHARS
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError
from p2pdist.shared.manifest.ring_facts import RING_FACTS, other_names
from p2pdist.shared.manifest.rollout_plan import (
    MAX_RINGS,
    MAX_SOAK_SECONDS,
    WHOLE,
    PlannedRing,
    RingName,
    RolloutPlan,
)
from p2pdist.shared.manifest.staged import MAX_APPROVALS
from p2pdist.shared.toml_config import TomlFile, parse_toml_file
from p2pdist.shared.wire.codec import Record

MAX_RING_TEMPLATE_BYTES = 64 << 10  # ten rings with long expressions; more is no template
DEFAULT_SILENT_AFTER = "3d"

_Percent: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=100)]
_Duration: TypeAlias = Annotated[str, msgspec.Meta(max_length=20)]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class WrittenRing(Record, frozen=True):
    """One ``[[ring]]``."""

    name: RingName
    soak: _Duration
    success: _Percent
    """Of the PCs that have decided, so many must have installed it."""
    failure: _Percent
    """More than so many that failed halt the rollout."""
    who: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)] = ""
    share: Annotated[float, msgspec.Meta(gt=0, le=100)] = 100.0
    """With those of the rings before."""
    least_decided: _Count = 1
    least_failed: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    approval: bool = False


class WrittenRings(Record, frozen=True):
    """A template as people write it."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE_CHARS)]
    ring: Annotated[tuple[WrittenRing, ...], msgspec.Meta(max_length=MAX_RINGS)] = ()
    silent_after: _Duration = DEFAULT_SILENT_AFTER
    silent: Literal["go_on", "hold"] = "go_on"
    approvals: Annotated[int, msgspec.Meta(ge=0, le=MAX_APPROVALS)] = 1
    least_cvss: Annotated[float, msgspec.Meta(ge=0, le=10)] | None = None


@dataclass(frozen=True)
class RingTemplate:
    """What a plan is made from."""

    name: str
    """That of a shipped one, or the file."""
    title: str
    rings: tuple[PlannedRing, ...] = ()
    """None: every PC is offered the patch at once, and there is no rollout."""
    silent_after_seconds: int = 0
    silent: Literal["go_on", "hold"] = "go_on"
    approvals: int = 0
    """So many people open a ring that wants approval."""
    least_cvss: float | None = None
    """It is for patches of this CVSS score or more, else somebody says why."""

    @property
    def at_once(self) -> bool:
        """Whether there are no rings."""
        return not self.rings

    def check_reason(self, cvss: float | None, reason: str) -> None:
        """Raise `UserError` (BAD_INPUT) where somebody has to say why a patch of this CVSS score goes by it."""
        least = self.least_cvss
        if least is None or reason or (cvss is not None and cvss >= least):
            return
        score = "no CVSS score" if cvss is None else f"a CVSS score of {cvss:g}"
        raise UserError(
            f"The template {self.name} is for patches with a CVSS score of {least:g} or more, and this one has "
            f"{score}. Say why with --reason, or choose another template.",
            FaultKind.BAD_INPUT,
        )

    def required_approvals(self, by_pcs: int) -> int:
        """Return how many people have to approve a rollout by it, of which PCs themselves want ``by_pcs``."""
        return max(self.approvals if any(ring.approval for ring in self.rings) else 0, by_pcs)

    def plan(self, ref: PatchRef, number: int, manifest_sha256: str, salt: bytes) -> RolloutPlan:
        """Return the plan for a publication; ``salt`` is random."""
        return RolloutPlan(
            format=1,
            patch_id=ref.patch_id,
            version=ref.version,
            number=number,
            manifest_sha256=manifest_sha256,
            salt=salt,
            rings=self.rings,
            silent_after_seconds=self.silent_after_seconds,
            silent=self.silent,
        )


def parse_ring_template(text: str, name: str, *, source: str = "") -> RingTemplate:
    """Return the template in ``text``; ``source`` is its file's name for errors. Raises `TomlFileError`."""
    file = parse_toml_file(text, WrittenRings, source=source or name)
    written = file.value
    if not written.ring:
        return RingTemplate(name, written.title)
    rings: list[PlannedRing] = []
    for place, ring in enumerate(written.ring):
        _check_ring(file, place)
        rings.append(
            PlannedRing(
                name=ring.name,
                who=ring.who,
                share=max(1, _points(ring.share)),
                soak_seconds=_seconds(file, ring.soak, "ring", place, "soak"),
                success_share=_points(ring.success),
                failure_share=_points(ring.failure),
                least_decided=ring.least_decided,
                least_failed=ring.least_failed,
                approval=ring.approval,
            )
        )
    unapproved = None if written.approvals else _first(written.ring, lambda ring: ring.approval)
    if unapproved is not None:
        raise file.error(
            f"ring {rings[unapproved].name} wants approval, and approvals = 0. Write how many have to approve it.",
            "ring", unapproved, "approval",
        )  # fmt: skip
    silent_after = _seconds(file, written.silent_after, "silent_after")
    if not silent_after:
        raise file.error("silent_after: every PC would be silent at once. Write a duration such as 3d.", "silent_after")
    return RingTemplate(
        name, written.title, tuple(rings), silent_after, written.silent, written.approvals, written.least_cvss
    )


def _check_ring(file: TomlFile[WrittenRings], place: int) -> None:
    rings = file.value.ring
    ring = rings[place]
    if not ring.name.isprintable() or ring.name != ring.name.strip():
        raise file.error("the name has control characters or outer spaces; remove them.", "ring", place, "name")
    if any(ring.name == other.name for other in rings[:place]):
        raise file.error(f"there are two rings {ring.name}; give one another name.", "ring", place, "name")
    if ring.who:
        try:
            others = other_names(ring.who)
        except ExpressionError as error:
            raise file.error(f"who, {error}. Correct it and try again.", "ring", place, "who") from error
        if others:
            raise file.error(
                f"no ring can ask for {', '.join(others)}: server and PC have to know it alike. There are "
                f"{', '.join(sorted(RING_FACTS))}.",
                "ring", place, "who",
            )  # fmt: skip
    before = _first(rings[:place], lambda other: other.who in ("", ring.who) and other.share >= ring.share)
    if before is not None:
        raise file.error(
            f"ring {ring.name} has no PC: ring {rings[before].name} has all of them already. A share counts those of "
            "the rings before, so it has to grow.",
            "ring", place, "share" if ring.share != 100 else "name",
        )  # fmt: skip


def _first(rings: tuple[WrittenRing, ...], fits: Callable[[WrittenRing], bool]) -> int | None:
    return next((place for place, ring in enumerate(rings) if fits(ring)), None)


def _points(percent: float) -> int:
    return round(percent * WHOLE / 100)


def _seconds(file: TomlFile[WrittenRings], text: str, *path: str | int) -> int:
    try:
        seconds = parse_duration(text)
    except QuantityError as error:
        raise file.error(f"{path[-1]}: {error}.", *path) from error
    if seconds > MAX_SOAK_SECONDS:
        raise file.error(f"{path[-1]}: {text} is over {MAX_SOAK_SECONDS // 86_400} days.", *path)
    return seconds
