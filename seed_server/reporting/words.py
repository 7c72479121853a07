"""What reports say to people, the same on a terminal and on a page, in the language of the screens. Pure."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from p2pdist.shared.language import in_words, tr
from seed_server.reporting.missing_queries import MissingPc
from seed_server.reporting.service_levels import LevelVerdict, ServiceLevel
from seed_server.settings.priority_section import PriorityClass

TONES: Mapping[LevelVerdict, str] = MappingProxyType(
    {LevelVerdict.KEPT: "good", LevelVerdict.BROKEN: "bad", LevelVerdict.RUNNING: "", LevelVerdict.UNCLEAR: "open"}
)
"""How a verdict is coloured on a page."""


def priority_level(priority: PriorityClass) -> str:
    """Return what people call how urgent a patch is."""
    return {
        "immediate": tr("Immediate"),
        "out-of-cycle": tr("Out-of-cycle"),
        "scheduled": tr("Scheduled"),
        "defer": tr("Defer"),
    }[priority]


def input_names() -> Mapping[str, str]:
    """Return what people call the things by which a patch is judged."""
    return {
        "exploitation": tr("exploitation"),
        "likelihood": tr("likelihood"),
        "exposure": tr("exposure"),
        "mission": tr("mission"),
        "score": tr("severity"),
    }


def input_sources() -> Mapping[str, str]:
    """Return what people call the places where these are known from."""
    return {"kev": "KEV", "epss": "EPSS", "recipe": tr("recipe"), "tags": tr("tags"), "nothing": "–"}


def minute(seconds: float) -> str:
    """Return a moment, given in seconds since 1970: ``2026-12-01 18:00 UTC``."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def day(seconds: float) -> str:
    """Return the day of a moment, UTC."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"


def percent_down(share: float | None) -> str:
    """Return a share, rounded downwards, so that what is not enough never looks as if it were."""
    return "–" if share is None else f"{int(share * 1000 + 1e-9) / 10:.1f} %"


def rule_words(level: ServiceLevel) -> str:
    """Return what a rule asks for, in words."""
    rule = level.rule
    return tr("{share} % in {days} days", share=f"{rule.share_percent:g}", days=f"{rule.days:g}")


def said_words(row: MissingPc) -> str:
    """Return why, in the PC's words; empty: it gives none."""
    return in_words(row.pc.install_reason or row.pc.error)


def follow_up_words(row: MissingPc) -> str:
    """Return what somebody does about a PC, with the day and the note; empty: nobody has said so."""
    if not row.pc.follow_up:
        return ""
    begun = f"{tr(row.pc.follow_up)}, {day(row.pc.set_at)}"
    return f"{begun}: {row.pc.note}" if row.pc.note else begun
