"""What a rollout waits for, in one sentence of English; who shows it to people translates it. Pure."""

import datetime as dt
from collections.abc import Mapping

from seed_server.fleet.rollout import RolloutReason, RolloutWhy

_SENTENCES: Mapping[RolloutReason, str] = {
    RolloutReason.SOAKING: "Ring {ring} is open since {since} and soaks until {until}.",
    RolloutReason.SOAKED: (
        "Ring {ring} has soaked since {since}, and the next step comes as soon as enough of its PCs have installed it."
    ),
    RolloutReason.TO_DECIDE: (
        "Ring {ring} waits since {since} for PCs to decide: {count} of {of} have, and {wanted} are wanted."
    ),
    RolloutReason.NOT_SURE: (
        "Ring {ring} waits since {since} for more PCs, to be sure: {count} of {of} that decided have installed it, "
        "which proves {share}, and {bound} are wanted."
    ),
    RolloutReason.NOT_APPROVED: (
        "Ring {ring} waits since {since} for approval: {count} have approved it, and {wanted} are required."
    ),
    RolloutReason.NO_LONGER_APPROVED: (
        "Ring {ring} is open, and waits since {since} for approval: of those who have approved it, {count} count now, "
        "and {wanted} are required. PCs begin no more."
    ),
    RolloutReason.SILENT_PCS: (
        "Ring {ring} waits since {since} for a person's word: {count} of its {of} PCs are silent, and the others would "
        "let it go on."
    ),
    RolloutReason.PAUSED: "It is paused since {since}: {words}",
    RolloutReason.HARM: "It is paused since {since}, as business traffic suffers at too many sites: {words}",
    RolloutReason.FAILURES: (
        "It was halted at {since}: in ring {ring}, {count} of {of} PCs that decided have failed, which proves {share}, "
        "and {bound} are allowed."
    ),
    RolloutReason.TOO_FEW_INSTALLED: (
        "It was halted at {since}: in ring {ring}, {count} of {of} PCs that decided have installed it, which is "
        "{share}, and {bound} are wanted."
    ),
    RolloutReason.TOO_FEW_DECIDED: (
        "It was halted at {since}: in ring {ring}, {count} of {of} PCs have decided and the others are silent, and "
        "{wanted} are wanted."
    ),
    RolloutReason.HALTED: "It was halted at {since}: {words}",
    RolloutReason.ABORTED: "It was aborted at {since}: {words}",
    RolloutReason.WITHDRAWN: "It was aborted at {since}, as the patch was withdrawn: {words}",
    RolloutReason.RING_WITHDRAWN: (
        "It is paused since {since}, as the patch was withdrawn from ring {ring} and those after it: {words}"
    ),
    RolloutReason.REPLACED: "It was aborted at {since}, as a newer publication has taken the patch's place.",
    RolloutReason.THROUGH: "All rings are through since {since}, and every PC is offered the patch.",
    RolloutReason.TO_OPEN: "It goes on since {since}.",
}
_ALL_HAVE_DECIDED = (
    "It was halted at {since}: in ring {ring}, {count} of {of} PCs that decided have failed, which is {share}, and "
    "{bound} are allowed."
)


def why_sentence(why: RolloutWhy) -> str:
    """Return why a rollout stands where it does, with the rule's numbers."""
    said = _ALL_HAVE_DECIDED if why.exact and why.reason is RolloutReason.FAILURES else _SENTENCES[why.reason]
    return said.format(
        ring=why.ring,
        since=moment(why.since),
        until=moment(why.until or 0.0),
        count=why.count,
        of=why.of,
        wanted=why.wanted,
        share=percent(why.share),
        bound=percent(why.bound),
        words=why.words,
    )


def percent(share: float) -> str:
    """Return a share as a percentage, with one digit after the point where that says something."""
    return f"{share * 100:.1f} %".replace(".0 %", " %")


def moment(seconds: float) -> str:
    """Return a moment, in seconds since 1970: ``2026-12-01 18:00 UTC``."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"
