"""What `status` says of intelligence: patches that it has made more urgent, and files that are old. Blocking."""

from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.fleet_problem import FleetProblem
from seed_server.fleet.intelligence_age import age_sentence, is_stale
from seed_server.signing.repository import Repository
from seed_server.store.intelligence_records import PriorityMove

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOVED_SECONDS = 14.0 * DAY_SECONDS  # for so long it is said, unless somebody acts; `priority` says it for ever
URGENT_CLASSES = ("immediate", "out-of-cycle")
MOST_MOVES_NAMED = 5


def intelligence_problems(context: Context, database: "Database", repository: Repository) -> list[FleetProblem]:
    """Return which patches that PCs may get were made more urgent and wait for somebody, and which files are old.

    Raises `UserError`.
    """
    now = context.clock.now()
    found = []
    if moves := _waiting(database, repository, now):
        names = ", ".join(f"{one.ref} ({one.before} → {one.after})" for one in moves[:MOST_MOVES_NAMED])
        more = ", …" if len(moves) > MOST_MOVES_NAMED else ""
        found.append(
            FleetProblem(
                f"What is known of weaknesses has made patches more urgent: {names}{more}.",
                f"seed-server priority {moves[0].ref} --why",
                urgent=any(one.after in URGENT_CLASSES for one in moves),
            )
        )
    return [*found, *old_intelligence(database, now)]


def old_intelligence(database: "Database", now: float) -> list[FleetProblem]:
    """Return which files are old; none where none was ever imported. Raises `UserError`."""
    mend = "seed-server intelligence import FILE"
    return [
        FleetProblem(age_sentence(source, now), mend, urgent=False)
        for source in database.intelligence_sources().values()
        if is_stale(source, now)
    ]


def _waiting(database: "Database", repository: Repository, now: float) -> list[PriorityMove]:
    """Return the moves of patches that may still go to PCs, and of which no rollout was begun since."""
    moves = database.priority_moves(now - MOVED_SECONDS)
    if not moves:
        return []
    begun: dict[PatchRef, float] = {}
    for row in database.rollouts():
        begun[row.ref] = max(row.created_at, begun.get(row.ref, 0.0))
    open_refs = {offer.manifest.ref for offer in repository.offers() if offer.is_open}
    return [one for one in moves if one.ref in open_refs and begun.get(one.ref, 0.0) < one.at]
