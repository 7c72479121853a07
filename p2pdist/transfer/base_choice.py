"""Which former payloads serve as bases of what is on its way to this PC. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from p2pdist.shared.wire.fields import MAX_BASES

BASES_OF_A_PATCH = 2  # what is two versions old has little that the last one has not


@dataclass(frozen=True, slots=True)
class Base:
    """A payload of which this PC has the bytes."""

    sha256: str
    patch_id: str
    version: str
    since: float
    """When it was proven or installed here, in seconds since 1970."""
    kept: str = ""
    """The path of the file that is kept for a way back; empty: it is in the cache anyway."""


def chosen(candidates: Iterable[Base], lacking: Collection[str], not_these: Collection[str]) -> dict[str, Base]:
    """Return the bases by their SHA-256: the newest of each patch id in ``lacking``, at most `MAX_BASES` in all.

    ``not_these``: payloads that are no bases, by their SHA-256.
    """
    of_patch: dict[str, dict[str, Base]] = {}
    for base in candidates:
        if base.patch_id in lacking and base.sha256 not in not_these:
            _add(of_patch.setdefault(base.patch_id, {}), base)
    found: dict[str, Base] = {}
    for bases in of_patch.values():
        for base in sorted(bases.values(), key=_newest_first)[:BASES_OF_A_PATCH]:
            _add(found, base)
    return {base.sha256: base for base in sorted(found.values(), key=_newest_first)[:MAX_BASES]}


def _add(bases: dict[str, Base], base: Base) -> None:
    known = bases.get(base.sha256)
    if known is None or (known.kept and not base.kept):  # what is in the cache needs no other name
        bases[base.sha256] = base


def _newest_first(base: Base) -> tuple[float, str]:
    return -base.since, base.sha256
