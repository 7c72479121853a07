"""A patch is taken back from some PCs: from a ring of its rollout, or from a site. As `operations`. Blocking.

For a ring, its rollout says so: it is paused, with that ring and those after it closed. For a site, a hold without an
end says so. Where it is installed, it stays; `rolling_back` has PCs go back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, SiteName
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.staged import MAX_HOLDS, MAX_OWNER_CHARS, NO_END
from p2pdist.shared.wire import codec
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import Area
from seed_server.fleet.rollout import RolloutState, ring_closed
from seed_server.fleet.rollout_announcing import announce_from, check_announceable, kept_rollouts
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_words import why_sentence
from seed_server.signing.offers import checked_reason, not_offered, parse_named
from seed_server.signing.profiles import checked_site
from seed_server.store.rollout_records import ExceptionRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

_AT_SITE = 'site == "'

log = lazy_log()


class AlreadyWithdrawnError(UserError):
    """It is withdrawn there already."""


@dataclass(frozen=True)
class TakenBack:
    """The outcome of taking a patch back from some PCs."""

    patches: tuple[PatchRef, ...]
    reason: str
    """As PCs show it."""
    rollout: int | None = None
    """The rollout whose rings are closed; None: it was taken back from a site."""
    rings: tuple[str, ...] = ()
    """Those that are closed now."""


@operation("withdraw")
def withdraw_from_ring(context: Context, actor: Actor, patch: str, ring: str, reason: str) -> TakenBack:
    """Close ``ring`` of the rollout of ``patch`` (ID or ID@VERSION), and those after it: PCs there begin nothing.

    The rollout is paused; `resume_rollout` opens them again. Writes database and repository; a running server tells
    endpoints at once. Raises `UserError`: BAD_INPUT for a malformed name or reason, for what has no rollout under way
    and for a ring that it has not; REFUSED where that ring is not open; NOT_SET_UP, STORAGE, BUSY.
    """
    named, why, now = parse_named(patch), checked_reason(reason), context.clock.now()
    repository = context.repository(context.settling())
    deed = Deed("withdraw", patch, reason=why, details={"ring": ring})
    with context.audited(actor, deed) as database:
        kept = _under_way(database, named, patch)
        place = place_of_ring(kept, ring)
        if place >= len(kept.progress.opened_at):
            if kept.progress.state is RolloutState.PAUSED:
                raise UserError(
                    f"Ring {ring} of rollout {kept.row.number} is not open, and none opens while it is paused; nothing "
                    "is to be done.",
                    FaultKind.BAD_INPUT,
                )
            raise UserError(
                f"Ring {ring} of rollout {kept.row.number} is not open, so no PC there begins. To keep it closed: "
                f"seed-server rollout pause {kept.row.number} --reason TEXT",
                FaultKind.REFUSED,
            )
        try:
            after = ring_closed(kept.progress, place, ring, now, why)
        except ValueError as error:
            raise UserError(
                f"Rollout {kept.row.number} is {kept.progress.state.value}, so no PC begins. "
                f"{why_sentence(kept.progress.why)}",
                FaultKind.REFUSED,
            ) from error
        deed.before, deed.after = kept.row.progress, after
        deed.details |= {"rollout": str(kept.row.number), "patch": str(kept.plan.ref)}
        database.change_rollout(kept.row.number, state=after.state, progress=codec.encode(after), now=now)
    log.info("patch withdrawn from a ring", patch=str(kept.plan.ref), ring=ring, rollout=kept.row.number)
    announce_from(context, repository)
    closed = tuple(one.name for one in kept.plan.rings[place : len(kept.progress.opened_at)])
    return TakenBack((kept.plan.ref,), why, kept.row.number, closed)


@operation("withdraw")
def withdraw_from_site(context: Context, actor: Actor, patch: str, site: str, reason: str) -> TakenBack:
    """Offer ``patch`` (ID or ID@VERSION) to no PC of ``site`` any more, until `offer_at_site`.

    Writes and raises as `withdraw_from_ring`; BAD_INPUT also for a site of which no PC is known, and for what is not
    offered, or withdrawn there already.
    """
    named, why, now = parse_named(patch), checked_reason(reason), context.clock.now()
    repository = context.repository(context.settling())
    refs = [entry.ref for entry in repository.offered().entries if entry.ref.is_named(named)]
    if not refs:
        raise not_offered(named, repository.offers())
    name = checked_site(site)
    deed = Deed("withdraw", patch, reason=why, details={"site": name})
    with context.audited(actor, deed) as database:
        if name not in database.site_names():
            raise UserError(
                f"No PC of site {name} is known here. 'seed-server sites' lists the sites.", FaultKind.BAD_INPUT
            )
        holding = [one for one in database.exceptions() if one.holds(now)]
        known = {one.patch for one in _withdrawn_at(name, holding)}
        fresh = [ref for ref in refs if str(ref) not in known]
        if not fresh:
            raise AlreadyWithdrawnError(
                f"{patch} is withdrawn at {name} already; nothing is to be done.", FaultKind.BAD_INPUT
            )
        if len(holding) + len(fresh) > MAX_HOLDS:
            raise UserError(
                f"There are {len(holding)} exceptions and withdrawals at sites, and PCs take {MAX_HOLDS}; end some "
                f"first, or withdraw {patch} everywhere.",
                FaultKind.REFUSED,
            )
        for ref in fresh:
            row = ExceptionRow(
                number=0,
                patch=str(ref),
                expression=at_site(name),
                reason=why,
                owner=actor.who[:MAX_OWNER_CHARS],
                made_by=actor.who,
                begins_at=now,
                ends_at=NO_END,
            )
            database.add_exception(row)
        check_announceable(repository, database, now)
        deed.details["patches"] = " ".join(map(str, fresh))
    log.info("patch withdrawn at a site", patch=patch, site=name)
    announce_from(context, repository)
    return TakenBack(tuple(fresh), why)


def read_site_withdrawals(context: Context) -> dict[PatchRef, dict[str, str]]:
    """Return where each patch is withdrawn that is withdrawn at sites alone, with the reasons. Raises `UserError`."""
    context.settings()
    found: dict[PatchRef, dict[str, str]] = {}
    with context.database() as database:
        for one in database.exceptions():
            if one.is_withdrawal and one.holds(context.clock.now()):
                site = one.expression.removeprefix(_AT_SITE).removesuffix('"')
                found.setdefault(PatchRef.of_relation(one.patch), {})[site] = one.reason
    return found


@operation("roll-out", reach=None)
def offer_at_site(context: Context, actor: Actor, patch: str, site: str) -> tuple[PatchRef, ...]:
    """End what `withdraw_from_site` has said of ``patch``; return what is offered at ``site`` again.

    Writes and raises as `withdraw_from_site`; BAD_INPUT for what is not withdrawn there.
    """
    named, name, now = parse_named(patch), checked_site(site), context.clock.now()
    require(context, actor, "roll-out", (Area(site=name),))
    repository = context.repository(context.settling())
    for recall in repository.recalls().recalls:
        if recall.patch_id == named.patch_id and recall.plan is None and recall.who in ("", at_site(name)):
            raise UserError(
                f"PCs of {name} go back from {patch}, as the offline key says, and none of them installs it again. "
                "Publish it again, or a newer version.",
                FaultKind.REFUSED,
            )
    with context.audited(actor, Deed("offer", patch, details={"site": name})) as database:
        holding = [one for one in database.exceptions() if one.holds(now)]
        ours = [one for one in _withdrawn_at(name, holding) if PatchRef.of_relation(one.patch).is_named(named)]
        if not ours:
            raise UserError(f"{patch} is not withdrawn at {name}; nothing is to be done.", FaultKind.BAD_INPUT)
        for one in ours:
            database.end_exception(one.number, who=actor.who, now=now)
    log.info("patch offered at a site again", patch=patch, site=name)
    announce_from(context, repository)
    return tuple(PatchRef.of_relation(one.patch) for one in ours)


def _withdrawn_at(site: SiteName, holding: Sequence[ExceptionRow]) -> list[ExceptionRow]:
    """Return the withdrawals at a site among what holds PCs back."""
    return [one for one in holding if one.is_withdrawal and one.expression == at_site(site)]


def at_site(site: SiteName) -> str:
    """Return the expression that chooses the PCs of a site."""
    return f'{_AT_SITE}{site}"'  # nothing in a site's name means anything in an expression


def _under_way(database: "Database", named: PatchRef, patch: str) -> KeptRollout:
    found = [one for one in kept_rollouts(database, live=True) if one.plan.ref.is_named(named)]
    if not found:
        raise UserError(
            f"No rollout of {patch} is under way, so it is withdrawn from none of its rings. Withdraw it at a site, or "
            "everywhere.",
            FaultKind.BAD_INPUT,
        )
    return found[-1]


def place_of_ring(kept: KeptRollout, ring: str) -> int:
    """Return the place of a rollout's ring, by its name. Raises `UserError` (BAD_INPUT)."""
    names = [one.name for one in kept.plan.rings]
    if ring not in names:
        raise UserError(
            f"Rollout {kept.row.number} has no ring {ring[:40]!r}. It has {', '.join(names)}.", FaultKind.BAD_INPUT
        )
    return names.index(ring)
