"""Gathers what a plan is made from, out of what the server knows. Blocking; nothing here writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.rollout_announcing import kept_rollouts
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.reporting.plan_company import Company
from seed_server.reporting.plan_facts import InstallTimes, PlanFacts
from seed_server.reporting.plan_habits import come_shares
from seed_server.reporting.plan_history import install_times
from seed_server.reporting.plan_model import Forecast, forecast
from seed_server.signing.profiles import parsed_profiles

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_INSTALL_STEPS = 20_000  # of installations that are looked at: more tell nothing new of how long one takes
ASSUMED_RATIO = 1.01  # of what crosses a line, by the length of the files, where nothing has crossed one yet
_RATIOS = (1.0, 1.2)
SEED = 19  # the same question has the same answer
_FORECAST_SALT = bytes(16)  # who is in which ring is drawn when a rollout starts; how many are is known before


@dataclass(frozen=True)
class Planned:
    """A plan, and what it is for."""

    manifest: Manifest
    forecast: Forecast
    install: InstallTimes | None
    template: str
    """By whose rings; empty: every PC at once."""
    sent_before: Mapping[str, int] = field(default_factory=dict)
    """What had gone to each site of the patch's files before, in bytes."""


def newest_rollout(database: "Database", ref: PatchRef) -> KeptRollout | None:
    """Return the newest rollout of a patch; None: there is none that can be read."""
    found = [one for one in kept_rollouts(database) if one.plan.ref == ref]
    return found[-1] if found else None


def published(context: Context, named: PatchRef) -> Manifest:
    """Return the newest publication of what is named. Raises `UserError` (BAD_INPUT) for none."""
    found = [one for one in context.repository().readable_manifests()[0] if one.ref.is_named(named)]
    if not found:
        name = str(named) if named.version else named.patch_id
        raise UserError(f"No {name} is published here. 'seed-server list' lists the patches.", FaultKind.BAD_INPUT)
    return max(found, key=lambda one: one.number)


def plan_patch(
    context: Context,
    database: "Database",
    manifest: Manifest,
    start: float,
    *,
    template: RingTemplate | None = None,
    kept: KeptRollout | None = None,
) -> Planned:
    """Return the plan of a patch from ``start`` on: by a template, or of a rollout that has begun; else at once.

    Raises `UserError`.
    """
    plan, opened_at, name = _rings(manifest, template, kept)
    profiles = parsed_profiles(context.repository().profiles())
    now = context.clock.now()
    with database.one_state():
        company = Company(context, database, manifest, plan, profiles, now=now, start=start)
        sites = company.sites()
        install = None if manifest.install is None else install_times(database.install_steps(MOST_INSTALL_STEPS))
        ratio = _ratio(database.sent_to_sites().values())
        sent = company.sent
    egress = context.settings().egress_mbit
    facts = PlanFacts(
        start=start,
        sites=tuple(sites),
        seen_at=now,
        rings=() if plan is None else plan.rings,
        opened_at=opened_at,
        silent_after_seconds=0.0 if plan is None else float(plan.silent_after_seconds),
        install=install,
        ratio=ratio,
        come=come_shares(company.pasts(), start),
        egress=egress * 125_000 if egress else None,
    )
    return Planned(manifest, forecast(facts, Random(SEED)), install, name, sent)  # noqa: S311 - no secret


def _rings(
    manifest: Manifest, template: RingTemplate | None, kept: KeptRollout | None
) -> tuple[RolloutPlan | None, tuple[float, ...], str]:
    if kept is not None:
        return kept.plan, tuple(map(float, kept.progress.opened_at)), kept.row.template
    if template is None or template.at_once:
        return None, (), ""
    return template.plan(manifest.ref, manifest.number, "", _FORECAST_SALT), (), template.name


def _ratio(sent: Iterable[tuple[int, int]]) -> float:
    """Return what crosses a line, by the length of the files, from what went to sites that have all of them."""
    whole = [(count, length) for count, length in sent if length and count >= length]
    length = sum(size for _, size in whole)
    return min(_RATIOS[1], max(_RATIOS[0], sum(count for count, _ in whole) / length)) if length else ASSUMED_RATIO
