"""Makes the documents of reports from what the queries found. Pure."""

from collections.abc import Mapping

from seed_server.fleet.rollout_queries import RolloutView
from seed_server.fleet.rollout_words import why_sentence
from seed_server.reporting.documents import (
    MissingDocument,
    MissingPageDocument,
    PatchReportDocument,
    ReportedExceptionDocument,
    ReportedFailureDocument,
    ReportedRingDocument,
    ReportedRolloutDocument,
    ServiceLevelDocument,
    ServiceLevelsDocument,
)
from seed_server.reporting.missing_pcs import FollowUp, MissingReason
from seed_server.reporting.missing_queries import MissingPc, MissingReport
from seed_server.reporting.patch_report import ExplainedPatch
from seed_server.reporting.service_level_queries import ServiceLevelReport
from seed_server.reporting.service_levels import LevelVerdict, ServiceLevel, tally

_FOLLOW_UPS = {one.value: one for one in FollowUp}


def level_document(level: ServiceLevel) -> ServiceLevelDocument:
    """Return what is printed of a rule for a patch."""
    return ServiceLevelDocument(
        rule=level.rule.name,
        patch=str(level.patch.ref),
        title=level.patch.title,
        severity=level.patch.severity,
        cvss=level.patch.cvss,
        begins_at=level.begins_at,
        deadline=level.deadline,
        wanted_percent=level.rule.share_percent,
        applicable=level.applicable,
        in_time=level.in_time,
        late=level.late,
        missing=level.missing,
        excepted=level.excepted,
        silent=level.silent,
        unknown=level.unknown,
        share=_rounded(level.share),
        least_share=_rounded(level.least_share),
        verdict=level.verdict.name.lower(),  # type: ignore[arg-type] # the names are those of the literal
    )


def levels_document(report: ServiceLevelReport) -> ServiceLevelsDocument:
    """Return what is printed of all rules."""
    counts = tally(report.levels)
    return ServiceLevelsDocument(
        at=report.now,
        fleet=report.fleet,
        denied=report.denied,
        withdrawn=report.withdrawn,
        silent_days=report.silent_days,
        kept=counts[LevelVerdict.KEPT],
        broken=counts[LevelVerdict.BROKEN],
        running=counts[LevelVerdict.RUNNING],
        unclear=counts[LevelVerdict.UNCLEAR],
        levels=tuple(map(level_document, report.levels)),
    )


def missing_document(row: MissingPc, now: float) -> MissingDocument:
    """Return what is printed of a PC that lacks a patch."""
    pc = row.pc
    known = pc.follow_up if pc.follow_up in _FOLLOW_UPS else None
    return MissingDocument(
        patch=str(row.patch.ref),
        endpoint_id=pc.endpoint_id,
        hostname=pc.hostname,
        site=pc.site or None,
        reason=row.reason.name.lower(),
        said=pc.install_reason or pc.error,
        since=row.since,
        age_seconds=max(0.0, now - row.since),
        last_seen_at=pc.last_seen_at or None,
        owner=row.owner,
        proposal=row.proposal.name.lower(),
        follow_up=known,  # type: ignore[arg-type] # it is one of the literal
        note=pc.note,
        follow_up_by=pc.set_by,
        follow_up_at=int(pc.set_at) if known else None,
    )


def missing_page_document(report: MissingReport) -> MissingPageDocument:
    """Return what is printed of a page."""
    return MissingPageDocument(
        at=report.now,
        total=report.total,
        reasons=by_code(report.counts),
        followed_up=report.follow_ups,
        rows=tuple(missing_document(row, report.now) for row in report.rows),
        next=report.after or None,
    )


def by_code(counts: Mapping[MissingReason, int]) -> dict[str, int]:
    """Return counts by the names of their reasons, as programs get them."""
    return {reason.name.lower(): count for reason, count in counts.items()}


def patch_document(report: ExplainedPatch) -> PatchReportDocument:
    """Return what is printed of a patch."""
    manifest = report.manifest
    return PatchReportDocument(
        at=report.now,
        patch=str(report.patch.ref),
        title=report.patch.title,
        titles={} if manifest is None else dict(manifest.other_titles),
        severity=report.patch.severity,
        cvss=report.patch.cvss,
        cves=report.patch.cves,
        published_at=report.patch.published_at,
        length_bytes=report.length_bytes,
        sent_bytes=report.sent_bytes,
        bytes_from_peers=report.bytes.from_peers,
        bytes_built=report.bytes.built,
        applies_to="" if manifest is None else manifest.applies_to,
        requires=() if manifest is None else tuple(manifest.requires),
        supersedes=() if manifest is None else tuple(manifest.supersedes),
        withdrawn=report.withdrawn,
        replaced_by=report.replaced_by,
        fleet=report.fleet,
        applicable=report.applicable,
        not_for_it=report.not_for_it,
        unknown=report.unknown,
        done=report.done,
        installed=report.installed,
        failed=report.failed,
        rolled_back=report.rolled_back,
        missing=by_code(report.missing),
        failures=tuple(
            ReportedFailureDocument(one.state, one.reason, one.endpoints, tuple(host for _, host in one.examples))
            for one in report.failures
        ),
        rollouts=tuple(map(_rollout, report.rollouts)),
        exceptions=tuple(
            ReportedExceptionDocument(
                number=one.number,
                who=one.expression,
                reason=one.reason,
                owner=one.owner,
                ends_at=int(one.ends_at if one.ended_at is None else one.ended_at),
                holds=one.holds(report.now),
            )
            for one in report.exceptions
        ),
        levels=tuple(map(level_document, report.levels)),
    )


def _rollout(view: RolloutView) -> ReportedRolloutDocument:
    kept, opened = view.kept, view.kept.progress.opened_at
    return ReportedRolloutDocument(
        number=kept.row.number,
        template=kept.row.template,
        state=kept.progress.state.value,
        why=why_sentence(view.why),
        author=kept.row.author,
        started_at=int(kept.row.created_at),
        approved_by=tuple(one.who for one in kept.approvals),
        rings=tuple(
            ReportedRingDocument(
                name=ring.name,
                opened_at=int(opened[place]) if place < len(opened) else None,
                pcs=counts.size,
                installed=counts.installed,
                failed=counts.failed + counts.rolled_back,
            )
            for place, (ring, counts) in enumerate(zip(kept.plan.rings, view.tallies, strict=True))
        ),
    )


def _rounded(share: float | None) -> float | None:
    # downwards: 94.99996 % is not 95 %
    return None if share is None else int(share * 1e6) / 1e6
