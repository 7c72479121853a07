"""How far each patch is in the whole fleet: counts, the reasons that most PCs give, and when the rest is done.

Nothing here reads the PCs one by one: a look at a company of 25,000 PCs costs what one at 25 does, but for sums.
Blocking.
"""

import contextlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Announced, Reached, replaced, settled, shown
from seed_server.fleet.estimate import PACE_SECONDS, Estimate, estimate
from seed_server.fleet.names import hint_of
from seed_server.fleet.paging import end_of_page, shown_no_more, site_asked
from seed_server.fleet.problems import FleetProblem, fleet_problems
from seed_server.fleet.queries import FleetStatus, announcements
from seed_server.store.count_rows import EndpointCounts, FinishedLately, FleetCounts, PatchHead, Said
from seed_server.store.rows import ServedPayload
from seed_server.store.serve_lock import is_serving

if TYPE_CHECKING:
    from seed_server.store.database import Database

_END = re.compile(r"[0-9]{1,10}")
EVERYTHING: tuple[Said, ...] = tuple(itertools.product(get_args(PatchState), get_args(InstallState)))
"""All that a PC may say of a patch."""


def said_as(one: Reached | None) -> frozenset[Said]:
    """Return what the PCs of a class say; None: those that are under way or away."""
    return frozenset(said for said in EVERYTHING if settled(*said) is one)


UNFINISHED = said_as(None)


@dataclass(frozen=True)
class FleetHead:
    """What every screen begins with, and which patches there are."""

    server_name: str
    serving: bool
    endpoints: EndpointCounts
    patches: Sequence[PatchHead]
    """Published patches, the newest first; without those that are replaced."""
    announced: Announced
    repository_problem: str = ""
    """Why the signed repository cannot be read; empty: it can."""
    problems: Sequence[FleetProblem] = ()
    """What the operator should know, the worst first."""
    damages: Mapping[int, str] = field(default_factory=dict)
    """Why patches cannot be served, by their numbers."""
    history: Sequence[PatchHead] = ()
    """What is replaced, the newest first."""
    replaced: Mapping[PatchRef, str] = field(default_factory=dict)
    """The same, each with its version of now; empty: another patch has taken its place."""


@dataclass(frozen=True)
class PatchProgress:
    """How far one patch is."""

    patch: PatchHead
    counts: Mapping[Reached, int]
    """All PCs that are allowed here, each in one class."""
    states: Mapping[str, int]
    """Those that have said something of it, by what it is shown as."""
    verified: int
    """How many have the whole file, checked."""
    rest: Estimate

    @property
    def total(self) -> int:
        """All PCs that are allowed here."""
        return sum(self.counts.values())


def read_head(context: Context, database: "Database") -> FleetHead:
    """Return what every screen begins with. Raises `UserError`."""
    repository = None
    with contextlib.suppress(UserError):  # it is opened anew to say why
        repository = context.repository()
    heads = database.patch_heads()
    announced, problem = announcements(context, heads, repository)
    serving = is_serving(context.home)
    return fleet_head(
        database,
        announced,
        heads,
        server_name=context.settings().name,
        serving=serving,
        repository_problem=problem,
        problems=fleet_problems(
            context,
            database.endpoint_counts(),
            serving=serving,
            at_work=database.sites_at_work(context.clock.now()),
            repository=repository,
            database=database,
        ),
    )


def patches_head(context: Context, database: "Database") -> FleetHead:
    """Return which patches there are, without what is wrong, which takes a look at files. Raises `UserError`."""
    heads = database.patch_heads()
    announced, problem = announcements(context, heads)
    return fleet_head(
        database,
        announced,
        heads,
        server_name=context.settings().name,
        serving=is_serving(context.home),
        repository_problem=problem,
    )


def read_fleet(context: Context) -> FleetHead:
    """Return the fleet in a few numbers, and what needs a person. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        return read_head(context, database)


def fleet_head(
    database: "Database",
    announced: Announced,
    published: Iterable[PatchHead],
    *,
    server_name: str,
    serving: bool,
    repository_problem: str = "",
    problems: Sequence[FleetProblem] = (),
) -> FleetHead:
    """Return what every screen begins with, of PCs that were told what is ``announced``. Raises `UserError`.

    ``published``: all that the database has.
    """
    heads = sorted(published, key=lambda head: (head.emergency, head.sequence), reverse=True)
    old = replaced(heads, announced)
    return FleetHead(
        server_name=server_name,
        serving=serving,
        endpoints=database.endpoint_counts(),
        patches=[head for head in heads if head.ref not in old],
        announced=announced,
        repository_problem=repository_problem,
        problems=problems,
        damages=database.damages(),
        history=[head for head in heads if head.ref in old],
        replaced=old,
    )


def patches_named(head: FleetHead, asked: str) -> list[PatchHead]:
    """Return the patches that an id or ID@VERSION names: those that are not replaced, or the newest one.

    Raises `UserError` (BAD_INPUT) for one that was never published here.
    """
    current = [patch for patch in head.patches if patch.ref.matches(asked)]
    old = [patch for patch in head.history if patch.ref.matches(asked)]
    if not current and not old:
        known = {patch.patch_id for patch in (*head.patches, *head.history)}
        hint = hint_of(PatchRef.of_relation(asked).patch_id, known)
        raise UserError(
            f"No patch {asked[:80]!r} was published here.{hint} 'seed-server list' lists them.", FaultKind.BAD_INPUT
        )
    return current or old[:1]


def patches_asked(context: Context, status: FleetStatus, asked: str) -> list[ServedPayload]:
    """Return the patches of ``status`` that are meant, as `patches_named`."""
    with context.database() as database:
        refs = {patch.ref for patch in patches_named(read_head(context, database), asked)}
    return [patch for patch in status.patches if patch.ref in refs]


def progress_of(
    database: "Database", head: FleetHead, patches: Sequence[PatchHead], now: float, *, site: int | None = None
) -> list[PatchProgress]:
    """Return how far ``patches`` are; of the PCs of one site alone, where one is given."""
    counts = database.fleet_counts([patch.number for patch in patches], UNFINISHED, site=site)
    since = now - PACE_SECONDS
    waits = any(counts.connected.values()) and head.serving
    installed, delivered = said_as(Reached.INSTALLED), said_as(Reached.DELIVERED)
    paces = database.paces(since, installed, delivered, site=site) if waits else {}
    return [_progress(patch, counts, paces.get(patch.number), now, serving=head.serving) for patch in patches]


def _progress(
    patch: PatchHead, fleet: FleetCounts, pace: FinishedLately | None, now: float, *, serving: bool
) -> PatchProgress:
    said = fleet.states.get(patch.number, {})
    under_way = fleet.connected.get(patch.number, 0) if serving else 0
    counts = dict.fromkeys(Reached, 0)
    states: dict[str, int] = {}
    for one, number in said.items():
        counts[settled(*one) or Reached.AWAY] += number
        states[shown(*one)] = states.get(shown(*one), 0) + number
    counts[Reached.AWAY] -= under_way
    counts[Reached.UNDER_WAY] = under_way
    counts[Reached.SILENT] = fleet.endpoints.allowed - sum(said.values())
    verified = sum(number for (state, _), number in said.items() if state == "verified")
    return PatchProgress(patch, counts, states, verified, _rest(patch, counts, pace, now))


def _rest(patch: PatchHead, counts: Mapping[Reached, int], pace: FinishedLately | None, now: float) -> Estimate:
    if pace is None:
        return estimate(counts[Reached.UNDER_WAY], 0, PACE_SECONDS)
    # a file is the end only of a patch that nobody installs
    done = pace.installed if counts[Reached.INSTALLED] else pace.delivered
    return estimate(counts[Reached.UNDER_WAY], done, now - max(pace.since, patch.published_at))


@dataclass(frozen=True)
class ProgressPage:
    """A page of patches, each with how far it is."""

    rows: Sequence[PatchProgress]
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def read_progress(context: Context, *, patch: str = "", site: str = "", size: int, after: str = "") -> ProgressPage:
    """Return how far patches are, the newest first: all, or what ``patch`` names (ID, or ID@VERSION).

    ``site``: of the PCs of this one alone. Raises `UserError`; BAD_INPUT for what is not known.
    """
    context.settings()
    with context.database() as database:
        head = patches_head(context, database)
        known = patches_named(head, patch) if patch else head.patches
        rest = behind(known, int(end_of_page(_END, after)[0]) if after else None)
        page = rest[:size]
        progress = progress_of(database, head, page, context.clock.now(), site=site_asked(context, database, site))
    return ProgressPage(progress, str(page[-1].number) if len(rest) > len(page) else "")


def behind(patches: Sequence[PatchHead], number: int | None) -> Sequence[PatchHead]:
    """Return what follows on the patch with this number. Raises `UserError` (BAD_INPUT) where there is none."""
    if number is None:
        return patches
    for place, patch in enumerate(patches):
        if patch.number == number:
            return patches[place + 1 :]
    raise shown_no_more()
