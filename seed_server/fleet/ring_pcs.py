"""The PCs behind the numbers of a rollout: who is in which ring, and in which class. Blocking; nothing here writes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.paging import end_of_page
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, PcOutcome
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_queries import count_rollout
from seed_server.store.count_rows import PcStanding
from seed_server.store.serve_lock import is_serving

RingClass: TypeAlias = Literal[
    "done", "failed", "waiting", "silent", "excepted", "not_applicable", "no_ring", "not_known"
]  # fmt: skip
"""What the columns of a rollout count: classes of PCs in rings, and PCs that are in none."""
RING_CLASSES: tuple[RingClass, ...] = get_args(RingClass)
OUTCOMES: Mapping[RingClass, tuple[PcOutcome, ...]] = MappingProxyType(
    {
        "done": (PcOutcome.INSTALLED,),
        "failed": (PcOutcome.FAILED, PcOutcome.ROLLED_BACK),
        "waiting": (PcOutcome.WAITING,),
        "silent": (PcOutcome.SILENT,),
        "excepted": (PcOutcome.EXCEPTED,),
        "not_applicable": (PcOutcome.NOT_APPLICABLE,),
    }
)
EVERY_OUTCOME = tuple(PcOutcome)
_OUTSIDE: Mapping[RingClass, int] = MappingProxyType({"no_ring": NO_RING, "not_known": RING_NOT_KNOWN})
_CURSOR = re.compile(r"([0-9]{1,10})")


@dataclass(frozen=True)
class RingPcsQuestion:
    """Which PCs of a rollout; what is empty tells none apart."""

    rollout: int
    ring: str = ""
    """By its name; empty: of all rings."""
    which: RingClass | Literal[""] = ""
    size: int = 50
    after: str = ""
    """Where the page before has ended, as it said."""


@dataclass(frozen=True)
class RingPc:
    """One PC of a rollout."""

    ring: str
    """By its name; empty: it is in none, or that is not known."""
    outcome: PcOutcome
    pc: PcStanding


@dataclass(frozen=True)
class RingPcsPage:
    """A page of them, in the order of their enrolment."""

    kept: KeptRollout
    serving: bool
    rows: Sequence[RingPc]
    total: int
    """How many rows all pages have."""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def read_ring_pcs(context: Context, question: RingPcsQuestion) -> RingPcsPage:
    """Return a page. Raises `UserError`; BAD_INPUT where the question names what is not known."""
    after = int(end_of_page(_CURSOR, question.after)[1]) if question.after else 0
    serving = is_serving(context.home)
    with context.database() as database:
        found = count_rollout(context, database, question.rollout)
        kept, counts, known = found.counted.kept, found.counted.counts, found.pcs.rows
        outcomes = OUTCOMES.get(question.which, EVERY_OUTCOME) if question.which else EVERY_OUTCOME
        meant = {known[place].number: place for place in counts.members(_places(kept, question), outcomes)}
        rest = sorted(number for number in meant if number > after)
        rows = database.standing_on(kept.row.patch, rest[: question.size])
    names = [ring.name for ring in kept.plan.rings]
    page = []
    for pc in rows:
        place = meant[pc.endpoint]
        ring = counts.ring_of(place)
        shown = pc if serving else msgspec.structs.replace(pc, connected=False)
        page.append(RingPc(names[ring] if ring < len(names) else "", counts.outcome_of(place), shown))
    more = len(rest) > question.size
    return RingPcsPage(kept, serving, page, len(meant), str(rest[question.size - 1]) if more else "")


def _places(kept: KeptRollout, question: RingPcsQuestion) -> list[int]:
    """Return the places of the rings that are meant."""
    if question.which and (outside := _OUTSIDE.get(question.which)) is not None:
        return [outside]
    names = [ring.name for ring in kept.plan.rings]
    if not question.ring:
        return list(range(len(names)))
    if question.ring not in names:
        raise UserError(
            f"Rollout {question.rollout} has no ring {question.ring[:80]!r}. It has {', '.join(names)}.",
            FaultKind.BAD_INPUT,
        )
    return [names.index(question.ring)]
