"""The site map of files, together with the sites that are there and that the files do not name. Pure."""

from collections.abc import Sequence
from typing import Any

from seed_server.automation.apply_changes import Change, ValueChange, change
from seed_server.automation.declared_toml import plain, toml_text
from seed_server.line.site_map import SiteEntry, parse_site_map

SITE_ORDER = "(order)"
"""The name of the change which says that sites stand in another order: the first that holds an address has it."""
_HEAD = "The site map, written by 'seed-server apply'. The first site that holds an address has it."


def merged(declared: Sequence[SiteEntry], present: Sequence[SiteEntry], *, prune: bool) -> list[SiteEntry]:
    """Return the whole map: what is ``declared``, and unless ``prune`` what else is ``present``.

    Where both have their common sites in the same order, what is there stays in its place, and each new site follows
    the one that it follows among those declared. Else the declared ones come first, in their order.
    """
    if prune:
        return list(declared)
    entries = {entry.name: entry for entry in declared}
    there = [entry.name for entry in present]
    known = set(there)
    common = [name for name in entries if name in known]
    if common != [name for name in there if name in entries]:
        return [*declared, *(entry for entry in present if entry.name not in entries)]
    anchor, followers = "", dict[str, list[str]]()
    for name in entries:
        if name in known:
            anchor = name
        else:
            followers.setdefault(anchor, []).append(name)
    names = [one for name in ("", *there) for one in (name, *followers.get(name, ())) if one]
    kept = {entry.name: entry for entry in present}
    return [entries.get(name) or kept[name] for name in names]


def site_changes(
    declared: Sequence[SiteEntry], declared_text: str, present: Sequence[SiteEntry], *, prune: bool
) -> tuple[list[Change], str]:
    """Return what changes, and the text of the map that there shall be.

    Raises `TomlFileError` where the declared sites and those that stay make no map together.
    """
    after = merged(declared, present, prune=prune)
    was, will = {entry.name: entry for entry in present}, {entry.name: entry for entry in after}
    changes = [
        change("site", name, _keys(was.get(name)), _keys(will.get(name)))
        for name in dict.fromkeys((*will, *was))
        if was.get(name) != will.get(name)
    ]
    common = will.keys() & was.keys()
    before, now = ([name for name in names if name in common] for names in (was, will))
    if before != now:
        first = next(at for at, (one, other) in enumerate(zip(before, now, strict=True)) if one != other)
        changes.append(Change("site", SITE_ORDER, "change", (ValueChange("order", before[first], now[first]),)))
    # with its comments, where nothing else is in the map
    text = declared_text if len(after) == len(declared) else toml_text({"site": [plain(one) for one in after]}, _HEAD)
    if len(after) != len(declared):
        parse_site_map(text, source="sites.toml, with the sites that stay")
    return changes, text


def _keys(entry: SiteEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {key: value for key, value in plain(entry).items() if key != "name"}
