"""Decide whether a patch applies to this PC, and which of its payloads is for it. Pure.

Of the payloads whose platform and architecture fit, the most specific wins; among equals, the one whose language is
nearest (`language_distance`); among equals still, the one that the manifest lists first.
"""

from dataclasses import dataclass

from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.expression import parse_expression
from p2pdist.shared.manifest.facts import Facts

LINUX = "linux"
DEFAULT_LANGUAGE = "en-us"
NOT_LINUX = ("windows", "macos")

# Traditional and simplified Chinese: a reader of one does not get the other
_SCRIPTS = {"tw": "hant", "hk": "hant", "mo": "hant", "hant": "hant", "cn": "hans", "sg": "hans", "hans": "hans"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The payload of a patch that is for this PC."""

    payload: Payload | None
    """None when the patch is not for this PC."""
    reason: str
    """For people; also given when there is a payload."""


def choose(manifest: Manifest, facts: Facts) -> Choice:
    """Return the payload of ``manifest`` for a PC with ``facts``, or why there is none.

    ``manifest`` has been decoded, so its expression is known to be readable.
    """
    if manifest.applies_to:
        answer = evaluate(parse_expression(manifest.applies_to), facts)
        if not answer.applies:
            return Choice(None, f"not applicable: {answer.reason}")
        reason = answer.reason
    else:
        reason = "for every PC"
    family, arch, language = (_text(facts, name) for name in ("os.family", "arch", "os.language"))
    fitting = [
        (platform, machine, payload)
        for payload in manifest.payloads
        if (platform := platform_rank(payload.platform, family)) is not None
        and (machine := _rank(payload.arch, arch)) is not None
    ]
    system = " ".join(word for word in (family, arch) if word) or "a system that is not known"
    if not fitting:
        return Choice(None, f"no variant for {system}")
    readable = [
        (-platform, -machine, distance, payload)
        for platform, machine, payload in fitting
        if (distance := language_distance(payload.language, language)) is not None
    ]
    if not readable:
        offered = ", ".join(dict.fromkeys(payload.language for _, _, payload in fitting))
        return Choice(None, f"no variant for {system} in {language or 'a language that is not known'}, only {offered}")
    *_, payload = min(readable, key=lambda found: found[:3])
    return Choice(payload, reason)


def platform_rank(wanted: str, family: str) -> int | None:
    """Return how specific the platform is, from 0 (any) to 2 (the family itself), or None when it does not fit."""
    if not wanted:
        return 0
    if family and wanted == family:
        return 2
    return 1 if wanted == LINUX and family and family not in NOT_LINUX else None


def _rank(wanted: str, got: str) -> int | None:
    if not wanted:
        return 0
    return 1 if wanted == got else None


def language_distance(offered: str, wanted: str) -> int | None:
    """Return how far a payload's language is from the PC's, 0 (the same) and up; None when it is not for this PC.

    From near to far: the same, its base language, another of the same base (never between the two Chinese scripts),
    US English, English, no language.
    """
    if not offered:
        return 5
    if offered == wanted:
        return 0
    base, _, region = wanted.partition("-")
    offered_base, _, offered_region = offered.partition("-")
    if base and offered_base == base:
        if not offered_region:
            return 1
        if base != "zh" or _script(region) in ("", _script(offered_region)) or not _script(offered_region):
            return 2
    return {DEFAULT_LANGUAGE: 3, "en": 4}.get(offered)


def _script(region: str) -> str:
    """Return the Chinese script that a subtag like ``tw`` or ``hant-tw`` names, else ``""``."""
    return next((_SCRIPTS[part] for part in region.split("-") if part in _SCRIPTS), "")


def _text(facts: Facts, name: str) -> str:
    value = facts.values.get(name)
    return value if isinstance(value, str) else ""
