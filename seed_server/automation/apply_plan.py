"""What is to be done so that a fleet is as files say: compared, checked against each other, in a fixed order. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import Template
from seed_server.automation.apply_changes import APPLIED_KINDS, AppliedKind, Change, ValueChange, change
from seed_server.automation.apply_people import people_changes
from seed_server.automation.apply_sites import site_changes
from seed_server.automation.declared import Declared, DeclaredPerson, check_none
from seed_server.automation.declared_layout import file_of_site, known_keys
from seed_server.automation.declared_present import Present
from seed_server.automation.declared_server_toml import changed_text
from seed_server.automation.declared_toml import plain
from seed_server.fleet.names import hint_of
from seed_server.line.site_map import AUTOMATIC_PREFIX
from seed_server.settings.server_toml import ServerSettings

D = TypeVar("D", SiteProfile, Template)


@dataclass(frozen=True)
class ApplyPlan:
    """What is to be done, and what with."""

    changes: tuple[Change, ...]
    """In the order in which they are carried out."""
    stays: tuple[tuple[AppliedKind, str], ...] = ()
    """What is there, of a kind that the files have, and is not in them."""
    sites_text: str = ""
    profiles: Mapping[str, SiteProfile | None] = field(default_factory=dict)
    templates: Mapping[str, Template | None] = field(default_factory=dict)
    people: Mapping[str, DeclaredPerson] = field(default_factory=dict)
    settings_text: str = ""
    present: Present | None = None

    def of(self, kind: AppliedKind) -> tuple[Change, ...]:
        """Return the changes of one kind."""
        return tuple(one for one in self.changes if one.kind == kind)


def make_plan(declared: Declared, present: Present, *, prune: bool = False) -> ApplyPlan:
    """Return what is to be done; with ``prune``, what the files do not have goes, of the kinds that they have.

    Raises `UserError` (BAD_INPUT) with all that does not go together, also with what is there.
    """
    changes: list[Change] = []
    stays: list[tuple[AppliedKind, str]] = []
    problems: list[str] = []
    sites, texts = present.sites_text, present.settings_text
    if declared.sites is not None:
        try:
            mapped, sites = site_changes(declared.sites, declared.sites_text, present.sites, prune=prune)
            changes += mapped
        except UserError as error:
            problems.append(error.message)
        stays += _stays("site", (one.name for one in present.sites), (one.name for one in declared.sites))
    profiles = _documents("profile", declared.profiles, present.profiles, changes, stays, prune=prune)
    templates = _documents("template", declared.templates, present.templates, changes, stays, prune=prune)
    if declared.people is not None:
        people, wrong = people_changes(declared.people, present.people, prune=prune)
        changes += people
        problems += wrong
        ours = (one.name for one in present.people if not one.subject)
        stays += _stays("person", ours, (one.name for one in declared.people))
    if declared.settings is not None:
        settings, values = _settings(declared.settings, present, prune=prune)
        changes += settings
        texts = changed_text(present.settings_text, values, source="server.toml")
        stays += _stays("setting", _written_keys(present), declared.settings)
    problems += _unknown_sites(declared, present, changes)
    check_none(problems)
    return ApplyPlan(
        changes=tuple(sorted(changes, key=lambda one: APPLIED_KINDS.index(one.kind))),
        stays=() if prune else tuple(stays),
        sites_text=sites,
        profiles=profiles,
        templates=templates,
        people={one.name: one for one in declared.people or ()},
        settings_text=texts,
        present=present,
    )


def _stays(kind: AppliedKind, there: Iterable[str], named: Iterable[str]) -> list[tuple[AppliedKind, str]]:
    left_out = set(named)
    return [(kind, name) for name in there if name not in left_out]


def _documents(
    kind: AppliedKind,
    declared: Mapping[str, D] | None,
    present: Mapping[str, D],
    changes: list[Change],
    stays: list[tuple[AppliedKind, str]],
    *,
    prune: bool,
) -> dict[str, D | None]:
    """Return what is to be signed, and removed; add what changes, and what stays."""
    if declared is None:
        return {}
    signed: dict[str, D | None] = {name: one for name, one in declared.items() if present.get(name) != one}
    gone = [name for name in present if name not in declared]
    signed |= dict.fromkeys(gone if prune else ())
    changes += [_document_change(kind, name, present.get(name), one) for name, one in sorted(signed.items())]
    stays += [(kind, name) for name in gone]
    return signed


def _document_change(
    kind: AppliedKind, name: str, before: SiteProfile | Template | None, after: SiteProfile | Template | None
) -> Change:
    old = None if before is None else _keys(before)
    found = change(kind, name, old, None if after is None else _keys(after))
    if isinstance(before, SiteProfile) and isinstance(after, SiteProfile):
        was, will = (Counter(one.text.splitlines()) for one in (before, after))
        lines = ValueChange("lines", f"-{(was - will).total()}", f"+{(will - was).total()}")
        return Change(kind, name, "change", (*found.keys, lines))
    return found


def _keys(document: SiteProfile | Template) -> dict[str, Any]:
    """Return what is said of a document: of a profile its name, of a template its title and items."""
    if isinstance(document, SiteProfile):
        return {"name": document.profile().name}
    return {"title": document.title, **{f"item {one.label}": plain(one) for one in document.items}}


def _settings(declared: Mapping[str, Any], present: Present, *, prune: bool) -> tuple[list[Change], dict[str, Any]]:
    """Return what changes, and the keys of ``server.toml`` with their values; None: it goes."""
    now = present.settings
    meant = msgspec.convert({"name": now.name, "address": now.address, **declared}, ServerSettings)
    values = {key: value for key, value in declared.items() if getattr(meant, key) != getattr(now, key)}
    gone = [key for key in _written_keys(present) if key not in declared] if prune else []
    changes = [
        change("setting", key, _setting(present.written.get(key)), _setting(value)) for key, value in values.items()
    ]
    changes += [change("setting", key, _setting(present.written[key]), None) for key in gone]
    return changes, {**values, **dict.fromkeys(gone)}


def _setting(value: Any) -> dict[str, Any] | None:
    return None if value is None else dict(value) if isinstance(value, Mapping) else {"value": value}


def _written_keys(present: Present) -> list[str]:
    return [key for key in known_keys(ServerSettings.__struct_fields__) if key in present.written]


def _unknown_sites(declared: Declared, present: Present, changes: Sequence[Change]) -> list[str]:
    """Return what changes for sites that nothing names, and where no PC was seen: typing errors, mostly."""
    known = present.seen_sites | {one.name for one in (*present.sites, *(declared.sites or ()))}

    def unknown(site: str) -> bool:
        return site not in known and not site.startswith(AUTOMATIC_PREFIX)

    said = "sites.toml does not name it, and no PC was seen there."
    problems = [
        f"{file_of_site(one.name)}: no site {one.name!r} is known: {said}{hint_of(one.name, known)}"
        for one in changes
        if one.kind == "profile" and one.action != "remove" and unknown(one.name)
    ]
    before = {one.name: one.sites for one in present.people}
    return problems + [
        f"people.toml: {one.name} is limited to a site {site!r} that is not known: {said}{hint_of(site, known)}"
        for one in declared.people or ()
        for site in one.sites
        if unknown(site) and site not in before.get(one.name, ())
    ]
