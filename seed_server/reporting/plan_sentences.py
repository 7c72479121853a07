"""What is said of a plan, the same on a terminal, on a page and in a file, in the language of the screens. Pure."""

from collections.abc import Iterator

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.reporting.plan_documents import PlanDocument, PlanSiteDocument
from seed_server.reporting.words import minute

PLAN_HEADINGS = (
    "site", "pcs", "pcs_away", "pcs_done", "pcs_in_windows", "wan_bytes", "line_share", "finish_p50", "finish_p90",
    "line_known", "presence_known", "actual_finish", "actual_bytes", "error", "built_from",
)  # fmt: skip
"""Of the sites of a plan as CSV."""


def plan_sentences(plan: PlanDocument) -> Iterator[str]:
    """Yield what a plan comes to, and of a kept one what became of it."""
    patch = printable(plan.patch)
    if plan.rollout is None:
        yield (
            tr("{patch} by the rings of {template}, from {time} on", patch=patch, template=plan.template,
               time=minute(plan.start))
            if plan.template
            else tr("{patch} to every PC at once, from {time} on", patch=patch, time=minute(plan.start))
        )  # fmt: skip
    else:
        yield tr(
            "{patch}, rollout {number}: planned on {time}, and what became of it",
            patch=patch, number=plan.rollout, time=minute(plan.made_at),
        )  # fmt: skip
    if not plan.sites:
        yield tr("There is no PC that it is for.")
        return
    yield tr(
        "{pcs} PCs at {sites} sites, {size} over all lines together",
        pcs=plan.pcs, sites=len(plan.sites), size=bytes_text(plan.wan_bytes),
    )  # fmt: skip
    yield from _built(plan)
    yield tr(
        "Nine tenths of it are done by {p50}, as likely earlier as later, and with nine chances in ten by {p90}.",
        p50=moment_or_never(plan.finish_p50), p90=moment_or_never(plan.finish_p90),
    )  # fmt: skip
    if plan.rollout is not None:
        yield (
            tr("It is not there yet.")
            if plan.actual_finish is None
            else tr("It was done by {time}.", time=moment_or_never(plan.actual_finish))
        )
        if plan.median_error is not None and plan.covered is not None:
            yield tr(
                "Of the sites that are done, the median error is {error}, and {share} were done by p90.",
                error=f"{plan.median_error:.0%}", share=f"{plan.covered:.0%}",
            )  # fmt: skip


def _built(plan: PlanDocument) -> Iterator[str]:
    """Yield which sites build it from what, the most first."""
    ways: dict[tuple[str, ...], list[PlanSiteDocument]] = {}
    for site in plan.sites:
        ways.setdefault(site.built_from, []).append(site)
    for former, sites in sorted(ways.items(), key=lambda way: (-len(way[1]), way[0])):
        if former:
            yield tr(
                "{sites} of these sites build it from {patches}, which a PC there has: {size} over their lines.",
                sites=len(sites),
                patches=", ".join(map(printable, former)),
                size=bytes_text(sum(site.wan_bytes for site in sites)),
            )


def moment_or_never(at: float | None) -> str:
    """Return a moment; None: never, as far as it can be seen."""
    return tr("not foreseeable") if at is None else minute(at)


def plan_cells(site: PlanSiteDocument) -> Iterator[str]:
    """Yield what a site has below each of `PLAN_HEADINGS`."""
    for name in PLAN_HEADINGS:
        value = getattr(site, name)
        if value is None:
            yield ""
        elif isinstance(value, tuple):
            yield " ".join(value)
        elif name in ("finish_p50", "finish_p90", "actual_finish"):
            yield minute(value)
        else:
            yield f"{value:.3f}" if isinstance(value, float) else str(value)
