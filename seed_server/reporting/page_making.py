"""Puts reports onto pages, in the language of the screens. Pure."""

from collections.abc import Iterable, Sequence

from p2pdist.shared.language import current, in_language, in_words, tr
from seed_server.fleet.rollout_words import why_sentence
from seed_server.reporting.missing_queries import MissingPc, MissingReport
from seed_server.reporting.pages import BehindNumber, PageCell, PageSection, PageTable, Picture, ReportPage
from seed_server.reporting.patch_report import ExplainedPatch
from seed_server.reporting.pictures import done_picture, levels_picture
from seed_server.reporting.service_level_queries import ServiceLevelReport
from seed_server.reporting.service_levels import LevelVerdict, ServiceLevel, tally
from seed_server.reporting.words import (
    TONES,
    day,
    follow_up_words,
    minute,
    percent_down,
    rule_words,
    said_words,
)


def levels_page(report: ServiceLevelReport, *, start: int = 0, most: int | None = None) -> ReportPage:
    """Return the page of `report sla`; of each rule ``most`` patches from ``start`` on, the worst first; None: all."""
    counts = tally(report.levels)
    facts = [(tr(verdict.value), f"{counts[verdict]:,}") for verdict in LevelVerdict]
    facts += [(tr("PCs that are allowed here"), f"{report.fleet:,}")]
    if report.denied:
        facts.append((tr("denied PCs, which are counted nowhere"), f"{report.denied:,}"))
    if report.withdrawn:
        facts.append((tr("withdrawn patches, which are not in this"), f"{report.withdrawn:,}"))
    sections = [
        PageSection(
            tr("All rules"),
            [
                tr(
                    "The share is of all PCs to which a patch applies. Nobody is left out: PCs that an exception holds "
                    "back and PCs that were not seen for days are among the missing ones. PCs that have said nothing "
                    "of a patch are counted by themselves."
                )
            ],
            facts,
        )
    ]
    for rule in report.rules:
        levels = [level for level in report.levels if level.rule.name == rule.name]
        if not levels:
            sections.append(PageSection(rule.name, [tr("No patch is under this rule.")]))
            continue
        shown = levels[start:] if most is None else levels[start : start + most]
        heading, note = f"{rule.name}: {rule_words(levels[0])}", ""
        if len(shown) < len(levels):
            note = tr(
                "{first} to {last} of {all} patches, the worst first",
                first=f"{start + bool(shown):,}", last=f"{start + len(shown):,}", all=f"{len(levels):,}",
            )  # fmt: skip
        picture = Picture(levels_picture(shown, report.now), tr("Share of PCs in time, for each patch"))
        sections.append(
            PageSection(heading, picture=picture, table=_levels_table(shown), note=note)
            if shown
            else PageSection(heading, [tr("This rule has no more patches.")])
        )
    return _page(tr("Service levels"), report.server_name, report.now, sections)


def _levels_table(levels: Sequence[ServiceLevel], *, named: bool = False) -> PageTable:
    headings = [
        tr("rule") if named else tr("patch"), tr("deadline"), tr("verdict"), tr("in time"), tr("applies to"),
        tr("late"), tr("still missing"), tr("excepted"), tr("silent"), tr("unknown"),
    ]  # fmt: skip
    rows = [_level_row(level, named=named) for level in levels]
    return PageTable(headings, rows, frozenset(range(3, len(headings))))


def _level_row(level: ServiceLevel, *, named: bool) -> list[PageCell]:
    ref = str(level.patch.ref)
    numbers = {
        "applicable": BehindNumber("pcs", ref),
        "late": None,
        "missing": BehindNumber("missing", ref),
        "excepted": BehindNumber("missing", ref, "excepted"),
        "silent": BehindNumber("missing", ref, "silent"),
        "unknown": BehindNumber("pcs", ref, "silent"),
    }
    named_as = f"{level.rule.name}: {rule_words(level)}" if named else _patch_name(level)
    return [
        PageCell(named_as, behind=None if named else BehindNumber("patch", ref)),
        PageCell(minute(level.deadline)),
        PageCell(tr(level.verdict.value), TONES[level.verdict]),
        PageCell(f"{percent_down(level.share)} ({level.in_time:,})"),
        *(PageCell(f"{getattr(level, name):,}", behind=behind) for name, behind in numbers.items()),
    ]


def _patch_name(level: ServiceLevel) -> str:
    return f"{level.patch.ref} {level.patch.title}".rstrip()


def missing_page(report: MissingReport, rows: Iterable[MissingPc]) -> ReportPage:
    """Return the page of `report missing`, with all ``rows``."""
    counts = PageTable(
        [tr("why"), tr("PCs")],
        [[PageCell(tr(reason.value)), PageCell(f"{count:,}")] for reason, count in report.counts.items()],
        frozenset({1}),
    )
    sentences = [tr("Every PC has one reason: what has to go before any other can.")]
    if not report.counts:
        sentences = [tr("No PC lacks any of it.")]
    facts = [(tr("PCs and patches that they lack"), f"{report.total:,}")]
    if report.follow_ups:
        facts.append((tr("followed up"), f"{report.follow_ups:,}"))
    sections = [PageSection(tr("Why they lack it"), sentences, facts, table=counts if report.counts else None)]
    sections += _missing_sections(rows)
    return _page(tr("Missing PCs"), report.server_name, report.now, sections)


def _missing_sections(rows: Iterable[MissingPc]) -> list[PageSection]:
    headings = [
        tr("host"), tr("site"), tr("why"), tr("lacks it since"), tr("seen"), tr("ask"), tr("what could be done"),
        tr("followed up"),
    ]  # fmt: skip
    by_patch: dict[str, list[list[PageCell]]] = {}
    for row in rows:
        said = said_words(row)
        cells = [
            PageCell(row.pc.hostname or row.pc.endpoint_id),
            PageCell(row.pc.site),
            PageCell(f"{tr(row.reason.value)}: {said}" if said else tr(row.reason.value)),
            PageCell(day(row.since)),
            PageCell(day(row.pc.last_seen_at) if row.pc.last_seen_at else tr("never")),
            PageCell(row.owner),
            PageCell(tr(row.proposal.value)),
            PageCell(follow_up_words(row)),
        ]
        by_patch.setdefault(f"{row.patch.ref} {row.patch.title}".rstrip(), []).append(cells)
    return [PageSection(name, table=PageTable(headings, some)) for name, some in by_patch.items()]


def patch_page(report: ExplainedPatch) -> ReportPage:
    """Return the page of `report patch`."""
    title = report.patch.title
    if report.manifest is not None:
        title = in_language(title, report.manifest.other_titles)
    sections = [_what_it_is(report), _who_needs_it(report), _what_it_did(report)]
    if report.levels:
        sections.append(PageSection(tr("Service levels"), table=_levels_table(report.levels, named=True)))
    sections += [_what_went_wrong(report), _who_decided(report)]
    return _page(f"{report.patch.ref} {title}".rstrip(), report.server_name, report.now, sections)


def _what_it_is(report: ExplainedPatch) -> PageSection:
    manifest = report.manifest
    facts = [
        (tr("severity"), in_words(report.patch.severity)),
        ("CVSS", "–" if report.patch.cvss is None else f"{report.patch.cvss:.1f}"),
        (tr("mends"), ", ".join(report.patch.cves) or tr("nothing is said of that")),
        (tr("published"), minute(report.patch.published_at)),
    ]
    if manifest is not None:
        facts += [
            (name, value)
            for name, value in (
                (tr("for PCs with"), manifest.applies_to),
                (tr("needs"), ", ".join(manifest.requires)),
                (tr("replaces"), ", ".join(manifest.supersedes)),
            )
            if value
        ]
    sentences = []
    if report.emergency:
        sentences.append(tr("It is an emergency: it waits for no window."))
    if report.withdrawn is not None:
        sentences.append(tr("It was withdrawn: {reason}", reason=report.withdrawn))
    if report.replaced_by is not None:
        sentences.append(
            tr("Version {version} has taken its place.", version=report.replaced_by)
            if report.replaced_by
            else tr("Another patch has taken its place.")
        )
    return PageSection(tr("What it is"), sentences, facts)


def _who_needs_it(report: ExplainedPatch) -> PageSection:
    ref = str(report.patch.ref)
    facts = [
        (tr("applies to"), f"{report.applicable:,}"),
        (tr("not for them"), f"{report.not_for_it:,}"),
        (tr("said nothing of it"), f"{report.unknown:,}"),
        (tr("PCs that are allowed here"), f"{report.fleet:,}"),
    ]
    behind = {
        tr("applies to"): BehindNumber("pcs", ref),
        tr("not for them"): BehindNumber("pcs", ref, "not_applicable"),
        tr("said nothing of it"): BehindNumber("pcs", ref, "silent"),
    }
    return PageSection(tr("Who needs it"), facts=facts, behind=behind)


def _what_it_did(report: ExplainedPatch) -> PageSection:
    facts = [
        (tr("PCs that have it"), f"{report.done:,}"),
        (tr("installed and detected"), f"{report.installed:,}"),
        (tr("rolled back"), f"{report.rolled_back:,}"),
        (tr("sent over all lines"), f"{report.sent_bytes / 1e6:,.1f} MB"),
        (tr("from neighbours"), f"{report.bytes.from_peers / 1e6:,.1f} MB"),
        (tr("built by PCs of what they had, and by compression"), f"{report.bytes.built / 1e6:,.1f} MB"),
    ]
    picture, ref = Picture(done_picture(report), tr("How many PCs had the patch, by day")), str(report.patch.ref)
    behind = {
        tr("PCs that have it"): BehindNumber("pcs", ref),
        tr("installed and detected"): BehindNumber("pcs", ref, "installed"),
        tr("rolled back"): BehindNumber("pcs", ref, "rolled_back"),
    }
    return PageSection(tr("What it did"), facts=facts, picture=picture, behind=behind)


def _what_went_wrong(report: ExplainedPatch) -> PageSection:
    sentences = [tr("Its file cannot be served: {why}", why=in_words(report.damage))] if report.damage else []
    ref = str(report.patch.ref)
    rows = [
        [
            PageCell(tr(reason.value)),
            PageCell(f"{count:,}", behind=BehindNumber("missing", ref, reason.name.lower())),
            PageCell(""),
        ]
        for reason, count in report.missing.items()
    ]
    rows += [
        [
            PageCell(in_words(one.reason), "bad"),
            PageCell(f"{one.endpoints:,}", behind=BehindNumber("pcs", ref, one.state, one.reason)),
            PageCell(", ".join(host for _, host in one.examples)),
        ]
        for one in report.failures
    ]
    if not rows:
        sentences.append(tr("No PC lacks it."))
    headings = [tr("why PCs lack it, and what failed"), tr("PCs"), tr("for example")]
    table = PageTable(headings, rows, frozenset({1})) if rows else None
    return PageSection(tr("What went wrong, and what is missing"), sentences, table=table)


def _who_decided(report: ExplainedPatch) -> PageSection:
    rows = []
    for view in report.rollouts:
        kept = view.kept
        approved = ", ".join(one.who for one in kept.approvals) or tr("nobody")
        rows.append(
            [
                PageCell(str(kept.row.number), behind=BehindNumber("rollout", str(kept.row.number))),
                PageCell(tr(kept.progress.state.value)),
                PageCell(kept.row.author),
                PageCell(approved),
                PageCell(f"{len(kept.progress.opened_at)}/{len(kept.plan.rings)}"),
                PageCell(in_words(why_sentence(view.why))),
            ]
        )
    for one in report.exceptions:
        state = f"{tr('until')} {day(one.ends_at)}" if one.holds(report.now) else tr("over")
        rows.append(
            [
                PageCell(
                    tr("exception {number}", number=one.number),
                    behind=BehindNumber("exceptions", str(report.patch.ref)),
                ),
                PageCell(state),
                PageCell(one.made_by),
                PageCell(one.owner),
                PageCell(""),
                PageCell(one.reason),
            ]
        )
    headings = [tr("rollout"), tr("state"), tr("started by"), tr("approved by, or owner"), tr("open rings"), tr("why")]
    sentences = [] if rows else [tr("No rollout by rings, and no exception.")]
    return PageSection(tr("Who decided what"), sentences, table=PageTable(headings, rows) if rows else None)


def _page(title: str, server: str, now: float, sections: Sequence[PageSection]) -> ReportPage:
    return ReportPage(title, tr("{server}, as of {time}", server=server, time=minute(now)), current(), sections)
