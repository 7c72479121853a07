"""Which templates of rings there are here: the shipped ones, those that settings name, those of rollouts. Blocking.

A file is read only where ``server.toml`` names it: nobody who asks for a template names files of the server.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import MAX_RING_TEMPLATE_BYTES, RingTemplate, parse_ring_template
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_queries import read_rollouts
from seed_server.fleet.shipped_rings import SHIPPED_RINGS, shipped_rings
from seed_server.settings.server_toml import ServerSettings

DEFAULT_USE, EMERGENCY_USE = "rollout_template", "emergency_template"


@dataclass(frozen=True)
class KnownTemplate:
    """A template of rings."""

    name: str
    """By which rollouts remember it: of a file, its name without the ending."""
    template: RingTemplate | None
    """None: it cannot be used, and ``problem`` says why."""
    text: str = ""
    """As it is written, TOML; empty: it is known by its rollouts alone, or cannot be read."""
    file: str = ""
    """Where it lies on the server; empty: it is shipped, or known by its rollouts alone."""
    shipped: bool = False
    uses: tuple[str, ...] = ()
    """What ``server.toml`` chooses it for: keys of it."""
    problem: str = ""
    rollouts: Sequence[KeptRollout] = field(default_factory=tuple)
    """By this template, the newest first."""


def ring_templates(context: Context) -> list[KnownTemplate]:
    """Return all of them: the shipped ones, those of the settings, then those that rollouts alone know, by name.

    Raises `UserError`: NOT_SET_UP, BAD_INPUT for settings, STORAGE, BUSY.
    """
    uses = dict(_uses(context.settings()))
    rollouts: dict[str, list[KeptRollout]] = {}
    for one in read_rollouts(context):
        rollouts.setdefault(one.row.template, []).append(one)
    found = {name: _known(name, shipped_rings(name), shipped=True) for name in SHIPPED_RINGS}
    for named in sorted(_files(uses)):
        given = _of_file(named)
        if given.name not in found:  # else the shipped one has its place: rollouts tell them apart as little
            found[given.name] = given
    for name in sorted(rollouts.keys() - found.keys()):
        found[name] = KnownTemplate(name, _of_rollout(name, rollouts[name][0]))
    return [_used(one, uses, rollouts.get(one.name, [])) for one in found.values()]


def read_ring_template(context: Context, name: str) -> KnownTemplate | None:
    """Return the one of this name; None: there is none. Raises as `ring_templates`."""
    return next((one for one in ring_templates(context) if one.name == name), None)


def _uses(settings: ServerSettings) -> Iterator[tuple[str, str]]:
    """Yield the keys of ``server.toml`` that name templates, each with what it names."""
    yield DEFAULT_USE, settings.rollout_template
    if settings.emergency_template:
        yield EMERGENCY_USE, settings.emergency_template
    if settings.priority.classes is not None:
        for name, rule in msgspec.structs.asdict(settings.priority.classes).items():
            yield f"priority.classes.{name.replace('_', '-')}", rule.template


def _files(uses: Mapping[str, str]) -> set[str]:
    return {named for named in uses.values() if named not in SHIPPED_RINGS}


def _used(one: KnownTemplate, uses: Mapping[str, str], rollouts: Sequence[KeptRollout]) -> KnownTemplate:
    named = one.file or (one.name if one.shipped else None)
    keys = tuple(key for key, value in uses.items() if value == named)
    return KnownTemplate(one.name, one.template, one.text, one.file, one.shipped, keys, one.problem, rollouts)


def _of_file(named: str) -> KnownTemplate:
    path = Path(named)
    try:
        text = read_given_text("template", path, MAX_RING_TEMPLATE_BYTES, "a template has at most ten rings.")
    except UserError as error:
        return KnownTemplate(path.stem, None, file=named, problem=error.message)
    return _known(path.stem, text, file=named)


def _known(name: str, text: str, *, file: str = "", shipped: bool = False) -> KnownTemplate:
    try:
        template = parse_ring_template(text, name, source=file)
    except UserError as error:
        return KnownTemplate(name, None, text, file, shipped, problem=error.message)
    return KnownTemplate(name, template, text, file, shipped)


def _of_rollout(name: str, newest: KeptRollout) -> RingTemplate:
    """Return what is left of a template that was given by its file: what its newest rollout has of it."""
    plan = newest.plan
    return RingTemplate(name, "", plan.rings, plan.silent_after_seconds, plan.silent, newest.row.required)
