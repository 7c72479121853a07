"""How far PCs are that are to go back from a publication, by what they say of it. Blocking."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, PatchRef
from p2pdist.shared.manifest.recalls import Recall
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_counting import KnownPcs, known_pcs
from seed_server.store.serve_lock import is_serving

SAYS_RECALLED = "recalled: "
"""What a PC's words begin with where a publication goes back; then come the recall's reason, and what is in the way."""
HAS_IT = frozenset({"installed", "restart_pending", "unproven", "installing"})
"""Installations that go back when their PC hears of it."""


@dataclass(frozen=True)
class GoneBack:
    """How many PCs stand where; those that never had it are in none."""

    went_back: int = 0
    going_back: int = 0
    """They have it still, are connected, and are at it or wait for something."""
    away: int = 0
    """They had it when they were last heard, and are not connected: they go back when they return."""
    cannot: dict[str, int] = field(default_factory=dict)
    """So many have no way back or failed on it, by what they say."""


class BackWord(NamedTuple):
    """What one PC says of a publication that goes back."""

    install: str
    words: str
    connected: bool


def read_ways_back(context: Context, refs: Collection[PatchRef] | None = None) -> dict[PatchRef, GoneBack]:
    """Return it of each publication that is listed and goes back, or of those among ``refs``. Raises `UserError`."""
    repository = context.repository()
    recalls = repository.recalls().recalls
    ids = {one.patch_id for one in recalls}
    if refs is not None:
        ids &= {ref.patch_id for ref in refs}
    found: dict[PatchRef, GoneBack] = {}
    for manifest in repository.manifests_of(ids) if ids else ():
        covering = [one for one in recalls if one.patch_id == manifest.patch_id and one.covers(manifest.number)]
        if covering and (refs is None or manifest.ref in refs):
            found[manifest.ref] = _read(context, manifest.ref, covering)
    return found


def known_ways_back(context: Context, refs: Collection[PatchRef] | None = None) -> dict[PatchRef, GoneBack]:
    """Return the same, and nothing where it cannot be read: who only looks is shown the rest. `list` says why."""
    try:
        return read_ways_back(context, refs)
    except UserError:
        return {}


def _read(context: Context, ref: PatchRef, recalls: Collection[Recall]) -> GoneBack:
    serving = is_serving(context.home)
    with context.database() as database:
        number = database.patch_number(ref)
        if number is None:
            return GoneBack()
        pcs = known_pcs(database)
        allowed = {row.number: row.connected and serving for row in pcs.rows if row.allowed}
        reached = pcs_reached(pcs, recalls)
        words = [
            BackWord(install, text, allowed[pc])
            for pc, install, text in database.install_words(number)
            if pc in allowed and (pc in reached or text.startswith(SAYS_RECALLED))
        ]
    return way_back(words, [one.reason for one in recalls])


def way_back(words: Iterable[BackWord], reasons: Collection[str]) -> GoneBack:
    """Return how far PCs are, by the word of each; ``reasons`` are those of the recalls."""
    cannot: Counter[str] = Counter()
    went_back = going_back = away = 0
    begins = sorted((f"{SAYS_RECALLED}{reason}" for reason in reasons), key=len, reverse=True)
    for word in words:
        begin = next((begin for begin in begins if word.words.startswith(begin)), None)
        rest = "" if begin is None else word.words[len(begin) :].lstrip("; ")
        if begin is not None and word.install == "rolled_back":
            went_back += 1
        elif rest:
            cannot[rest] += 1
        elif word.install in HAS_IT or (begin is not None and word.install != "not_applicable"):
            going_back += word.connected
            away += not word.connected
    return GoneBack(went_back, going_back, away, dict(cannot.most_common()))


def pcs_reached(pcs: KnownPcs, recalls: Iterable[Recall]) -> set[int]:
    """Return the numbers of the PCs that go back where they have it, as far as is known here what they are."""
    wanted = list(recalls)
    if any(not one.who and one.plan is None for one in wanted):
        return {row.number for row in pcs.rows}
    return {
        row.number
        for place, row in enumerate(pcs.rows)
        if any(one.reaches(EndpointId(row.endpoint_id), pcs.facts(place)) for one in wanted)
    }
