"""Why a patch is as urgent as it is, in sentences of English; who shows them to people translates them. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.intelligence_age import age_sentence, day
from seed_server.reporting.priority_decision import PriorityDecision, WorldKnowledge
from seed_server.settings.priority_section import Exposure, Impact, Mission, PriorityClass
from seed_server.store.intelligence_records import IntelligenceKind, IntelligenceSource

LEVELS_SHOWN: Mapping[PriorityClass, str] = {
    "immediate": "Immediate",
    "out-of-cycle": "Out-of-cycle",
    "scheduled": "Scheduled",
    "defer": "Defer",
}
_EXPOSURE: Mapping[Exposure, str] = {
    "small": "are hard to reach",
    "controlled": "are reached from inside",
    "open": "are reached from outside",
}
_MISSION: Mapping[Mission, str] = {
    "low": "matter little",
    "medium": "matter as most do",
    "high": "matter most",
}
_IMPACT: Mapping[Impact, str] = {
    "low": "a low impact",
    "medium": "a medium impact",
    "high": "a high impact",
    "very-high": "a very high impact",
}
_MISSING: Mapping[IntelligenceKind, str] = {
    "kev": "No KEV file was ever imported, so it is not known which weaknesses are exploited.",
    "epss": "No EPSS file was ever imported, so it is not known which weaknesses are likely to be exploited.",
}

NOTHING_SAYS = "not known"
"""Of what counts as ``none``, as nothing says it."""
InputSource: TypeAlias = Literal["kev", "epss", "recipe", "tags", "nothing"]


class PriorityInput(NamedTuple):
    """One thing by which a patch is judged."""

    name: Literal["exploitation", "likelihood", "exposure", "mission", "score"]
    value: str
    """In the words of the table."""
    words: str
    """A sentence, without its full stop."""
    source: InputSource
    dated_at: float | None
    """Of the file that says it, in seconds since 1970."""


class Offered(NamedTuple):
    """What PCs are told of a patch."""

    rollout: int | None = None
    """The rollout that is not over; None: there is none."""
    template: str = ""
    """Of that rollout."""
    to_everyone: bool = False


class NextStep(NamedTuple):
    """What follows from a priority."""

    words: str
    command: str
    """Empty: nothing is to be done."""


def why_sentence(decision: PriorityDecision, now: float) -> str:
    """Return the decision with what it goes by, in one sentence."""
    level = LEVELS_SHOWN[decision.leaf.priority]
    parts = (_exploitation(decision), _whose(decision), _severity(decision), _due(decision, now))
    return f"{decision.facts.ref} has the priority {level}: {'; '.join(parts)}."


def leaf_words(decision: PriorityDecision) -> str:
    """Return the place in the table that has decided: its words, and its answer."""
    case, leaf = decision.leaf.case, decision.leaf
    likely = "likely" if case.likely else "unlikely"
    return f"{case.exploitation}, {case.exposure}, {likely}, {leaf.impact} → {leaf.priority}"


def inputs_of(decision: PriorityDecision, world: WorldKnowledge) -> Sequence[PriorityInput]:
    """Return what a decision goes by, each with where it is known from and how old that is."""
    case, facts = decision.leaf.case, decision.facts
    kev, epss = world.sources.get("kev"), world.sources.get("epss")
    by_epss = case.exploitation == "poc"
    said_by = (epss if by_epss else kev) if decision.exploitation_known else None
    exploitation = case.exploitation if decision.exploitation_known else NOTHING_SAYS
    likely, likely_by = _likelihood(decision)
    likely_from = {"kev": kev, "epss": epss}.get(likely_by)
    return (
        PriorityInput("exploitation", exploitation, _exploitation(decision), _kind(said_by), _dated(said_by)),
        PriorityInput(
            "likelihood", "likely" if case.likely else "unlikely", likely, likely_by, _dated(likely_from)
        ),
        PriorityInput("exposure", case.exposure, _whose(decision), "tags" if facts.pcs else "nothing", None),
        PriorityInput("mission", case.mission, _whose(decision), "tags" if facts.pcs else "nothing", None),
        PriorityInput("score", case.band, _severity(decision), "recipe", None),
    )  # fmt: skip


def doubts_of(world: WorldKnowledge, now: float) -> list[str]:
    """Return sentences on what the answers go by: what was never imported, and what is old."""
    found = [_MISSING[kind] for kind in world.missing()]
    return [*found, *(age_sentence(one, now) for one in world.stale(now))]


def next_step(decision: PriorityDecision, offered: Offered) -> NextStep:
    """Return what follows from a decision, and the command for it."""
    ref, level, wanted = decision.facts.ref, LEVELS_SHOWN[decision.leaf.priority], decision.rule.template
    start = start_command(ref, wanted, level)
    if offered.rollout is not None:
        number, template = offered.rollout, offered.template
        if template == wanted or decision.leaf.priority in ("scheduled", "defer"):
            return NextStep(f"Rollout {number} offers it by the rings of {template}.", "")
        abort = shlex.join(["seed-server", "rollout", "abort", str(number), "--reason", f"priority {level}"])
        return NextStep(
            f"Rollout {number} offers it by the rings of {template}, and those of {wanted} follow from its priority.",
            f"{abort} && {start}",
        )
    if offered.to_everyone:
        lacking = f"seed-server status {ref}" if decision.facts.missing else ""
        return NextStep("Every PC is offered it.", lacking)
    return NextStep("It is offered to nobody yet.", start)


def start_command(ref: PatchRef, template: str, level: str) -> str:
    """Return the command that offers a patch by its priority."""
    words = ["seed-server", "rollout", "start", str(ref), "--template", template, "--reason", f"priority {level}"]
    return shlex.join(words)


# --- its parts ---------------------------------------------------------------------------


def _exploitation(decision: PriorityDecision) -> str:
    by, count = decision.by, len(decision.facts.cves)
    if by is None:
        return "its recipe names no CVE, so whether it is exploited is not known"
    name = by.cve
    if by.exploited is not None:
        shown = day(by.exploited.added_at)
        if by.exploited.ransomware:
            return f"{name} is exploited since {shown}, also by ransomware"
        return f"{name} is exploited since {shown}"
    if not decision.exploitation_known:
        return f"whether {name} is exploited is not known"
    if decision.leaf.case.exploitation == "poc" and by.score is not None:
        return f"EPSS has {name} among the {_share(1 - by.score.percentile)} that are most likely to be exploited"
    if count > 1:
        return f"nobody is known to exploit any of its {count} CVEs"
    return f"nobody is known to exploit {name}"


def _likelihood(decision: PriorityDecision) -> tuple[str, InputSource]:
    by = decision.by
    if by is not None and by.exploited is not None and by.exploited.ransomware:
        return "ransomware is known to use it, so attacks on many are likely", "kev"
    if by is None or by.score is None:
        return "EPSS says nothing of it, so it does not count as likely", "nothing"
    return f"EPSS expects it to be tried within 30 days with {_share(by.score.probability)}", "epss"


def _whose(decision: PriorityDecision) -> str:
    case = decision.leaf.case
    if not decision.facts.pcs:
        return "no PC is known that it is for"
    how, much = _EXPOSURE[case.exposure], _MISSION[case.mission]
    count, number = decision.pcs, decision.facts.pcs
    return f"{count} of the {number} PCs that it may be for {how} and {much}"


def _severity(decision: PriorityDecision) -> str:
    impact = _IMPACT[decision.leaf.impact]
    if decision.facts.cvss is None:
        return f"it has no CVSS score, and its severity of {decision.facts.severity} means {impact} there"
    return f"its CVSS score of {_score(decision.facts.cvss)} means {impact} there"


def _due(decision: PriorityDecision, now: float) -> str:
    if decision.due_at is None:
        return "it has no deadline"
    when = day(decision.due_at)
    if decision.due_at < now and decision.facts.missing:
        return f"every PC was to have it by {when}"
    return f"every PC is to have it by {when}"


def _share(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.0f} %"


def _score(cvss: float) -> str:
    return f"{cvss:.1f}"


def _kind(source: IntelligenceSource | None) -> InputSource:
    return "nothing" if source is None else source.kind


def _dated(source: IntelligenceSource | None) -> float | None:
    return None if source is None else source.dated_at
