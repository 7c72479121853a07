"""Plans as they are shown: a plan of now, or one that was kept beside what became of it. Blocking."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.overview import said_as
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.rollout_announcing import kept_rollouts
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.reporting.plan_documents import PlanDocument, PlanRingDocument, PlanSiteDocument
from seed_server.reporting.plan_draws import DONE_SHARE
from seed_server.reporting.plan_kept import (
    KeptForecast,
    decode_forecast,
    encode_forecast,
    finite,
    kept_forecast,
    outcomes,
    whole_finish,
)
from seed_server.reporting.plan_model import SiteForecast
from seed_server.reporting.plan_queries import Planned, newest_rollout, plan_patch, published
from seed_server.signing.offers import parse_named

if TYPE_CHECKING:
    from p2pdist.shared.manifest.documents import Manifest
    from seed_server.store.database import Database

ASSUMPTIONS = (
    "Nothing else is sent to the sites meanwhile, and approvals are there when a ring may open.",
    "No installation fails, and no user defers one.",
)
UNKNOWN_LINES = "Lines of which nothing is known carry as much as the one in the middle of the others."
UNKNOWN_PCS = "PCs of sites that nobody has watched for a day are on when the others are."
CODED_TAKEN = "PCs are of release 0.3 or newer: to sites whose PCs are all older, whole pieces are sent, which is more."
FORMER_FILES = "PCs that had the file of a former version have it still."
UNKNOWN_INSTALLS = "An installation takes three minutes: too few were seen to know."


@dataclass(frozen=True)
class SitePlan:
    """What was planned for one site by one rollout, beside what became of it."""

    rollout: int
    patch: str
    """ID@VERSION."""
    site: PlanSiteDocument


def read_plan(
    context: Context, patch: str, *, template: RingTemplate | None = None, start: float | None = None
) -> PlanDocument:
    """Return the plan of a patch: what was kept for its newest rollout beside what became of it, else one of now.

    ``template`` or ``start`` asks for one of now in any case. Raises `UserError`; BAD_INPUT for a patch that is not
    published, and for a start that is over.
    """
    now = context.clock.now()
    if start is not None and start < now - 60:
        raise UserError("A plan cannot begin in the past. Give a later time with --from, or none.", FaultKind.BAD_INPUT)
    context.settings()
    manifest = published(context, parse_named(patch))
    with context.database() as database:
        kept = newest_rollout(database, manifest.ref)
        if kept is not None and template is None and start is None:
            if (forecast := _kept(database, kept)) is not None:
                return _beside_actual(database, manifest, kept, forecast)
            if kept.live:
                planned = plan_patch(context, database, manifest, now, kept=kept)
                return _of_now(planned, now)
        planned = plan_patch(context, database, manifest, max(now, start or now), template=template)
        return _of_now(planned, now)


def read_site_plans(context: Context, site: str, most: int) -> list[SitePlan]:
    """Return what was planned for a site by rollouts that go on, beside what became of it; the newest ``most``.

    Rollouts of which no plan is kept are left out. Raises `UserError`.
    """
    context.settings()
    found: list[SitePlan] = []
    with context.database() as database:
        manifests = {one.ref: one for one in context.repository().readable_manifests()[0]}
        for kept in kept_rollouts(database, live=True)[::-1]:
            manifest = manifests.get(kept.plan.ref)
            forecast = None if manifest is None else _kept(database, kept)
            if manifest is None or forecast is None or len(found) >= most:
                continue
            plan = _beside_actual(database, manifest, kept, forecast)
            found += [SitePlan(kept.row.number, plan.patch, one) for one in plan.sites if one.site == site]
    return found


def keep_plan(context: Context, database: "Database", kept: KeptRollout, manifest: "Manifest") -> KeptForecast:
    """Make the plan of a rollout that has begun, and keep it. Raises `UserError`."""
    now = context.clock.now()
    planned = plan_patch(context, database, manifest, now, kept=kept)
    forecast = kept_forecast(planned.forecast, planned.sent_before, now)
    database.keep_forecast(kept.row.number, encode_forecast(forecast), now)
    return forecast


def _kept(database: "Database", kept: KeptRollout) -> KeptForecast | None:
    data = database.forecast(kept.row.number)
    if data is None:
        return None
    try:
        return decode_forecast(data)
    except DecodeError as error:
        raise UserError(
            f"What was planned for rollout {kept.row.number} cannot be read ({error}). Plan it anew, with --from.",
            FaultKind.STORAGE,
        ) from error


def _of_now(planned: Planned, now: float) -> PlanDocument:
    forecast = planned.forecast
    return PlanDocument(
        patch=str(planned.manifest.ref),
        template=planned.template,
        rollout=None,
        made_at=now,
        start=forecast.start,
        pcs=forecast.pcs,
        wan_bytes=forecast.wan_bytes,
        finish_p50=finite(forecast.finish_p50),
        finish_p90=finite(forecast.finish_p90),
        last_p50=finite(forecast.last_p50),
        last_p90=finite(forecast.last_p90),
        actual_finish=None,
        median_error=None,
        covered=None,
        rings=tuple(
            PlanRingDocument(ring.name, ring.pcs, finite(ring.opens_p50), finite(ring.opens_p90))
            for ring in forecast.rings
            if planned.template
        ),
        sites=tuple(map(_site, forecast.sites)),
        assumptions=_assumptions(planned),
    )


def _site(site: SiteForecast) -> PlanSiteDocument:
    return PlanSiteDocument(
        site=site.name,
        pcs=site.pcs,
        pcs_needed=site.needed,
        pcs_away=site.away,
        pcs_done=site.done,
        pcs_in_windows=site.in_windows,
        wan_bytes=site.wan_bytes,
        line_share=None if site.line_share is None else round(site.line_share, 3),
        finish_p50=finite(site.finish_p50) if site.pcs else None,
        finish_p90=finite(site.finish_p90) if site.pcs else None,
        line_known=site.line_known,
        presence_known=site.presence_known,
        actual_finish=None,
        actual_bytes=None,
        error=None,
        built_from=site.built_from,
    )


def _assumptions(planned: Planned) -> tuple[str, ...]:
    sites = [site for site in planned.forecast.sites if site.pcs]
    found = list(ASSUMPTIONS)
    if not all(site.line_known for site in sites):
        found.append(UNKNOWN_LINES)
    if not all(site.presence_known for site in sites):
        found.append(UNKNOWN_PCS)
    if any(site.smaller for site in sites):
        found.append(CODED_TAKEN)
    if any(site.built_from for site in sites):
        found.append(FORMER_FILES)
    if planned.install is not None and not planned.install.known:
        found.append(UNKNOWN_INSTALLS)
    return tuple(found)


def _beside_actual(
    database: "Database", manifest: "Manifest", kept: KeptRollout, forecast: KeptForecast
) -> PlanDocument:
    torrents = {payload.torrent_hash for payload in manifest.payloads}
    sent: dict[str, int] = {}
    for (site, _), count in database.wan_bytes_of(torrents).items():
        sent[site] = sent.get(site, 0) + count
    said = said_as(Reached.INSTALLED) | said_as(Reached.NOT_APPLICABLE)
    if manifest.install is None:
        said |= said_as(Reached.DELIVERED)
    done = database.done_since(kept.row.patch, forecast.start, said)
    found = outcomes(forecast, done, sent)
    compared = [(site, found[site.name]) for site in forecast.sites if found[site.name].finish is not None]
    errors = [abs(outcome.error) for _, outcome in compared if outcome.error is not None]
    return PlanDocument(
        patch=str(manifest.ref),
        template=kept.row.template,
        rollout=kept.row.number,
        made_at=forecast.made_at,
        start=forecast.start,
        pcs=sum(site.pcs for site in forecast.sites),
        wan_bytes=sum(site.wan_bytes for site in forecast.sites),
        finish_p50=forecast.finish_p50,
        finish_p90=forecast.finish_p90,
        last_p50=None,
        last_p90=None,
        actual_finish=whole_finish(forecast, found, DONE_SHARE),
        median_error=statistics.median(errors) if errors else None,
        covered=_covered([(site.finish_p90, outcome.finish) for site, outcome in compared]),
        rings=(),
        sites=tuple(
            PlanSiteDocument(
                site=site.name,
                pcs=site.pcs,
                pcs_needed=site.needed,
                pcs_away=0,
                pcs_done=found[site.name].done,
                pcs_in_windows=None,
                wan_bytes=site.wan_bytes,
                line_share=None,
                finish_p50=site.finish_p50,
                finish_p90=site.finish_p90,
                line_known=site.known,
                presence_known=site.known,
                actual_finish=found[site.name].finish,
                actual_bytes=found[site.name].wan_bytes,
                error=found[site.name].error,
                built_from=(),
            )
            for site in forecast.sites
        ),
        assumptions=ASSUMPTIONS,
    )


def _covered(pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    finished = [(math.inf if late is None else late, at) for late, at in pairs if at is not None]
    return sum(at <= late for late, at in finished) / len(finished) if finished else None
