"""What `apply` prints with `--json`, for the API as well. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count
from seed_server.automation.apply_plan import ApplyPlan


class KeyChangeDocument(Struct, frozen=True):
    """One key of what changes."""

    key: str
    """The key, as the file has it; `lines` of a profile: how many lines go and come; `value` of a setting that is no
    table. Since 0.3."""
    before: str
    """Its value, as TOML writes it; empty: it was not written. Since 0.3."""
    after: str
    """Its new value; empty: it is not written any more. Since 0.3."""


class AppliedChangeDocument(Struct, frozen=True):
    """One thing that is added, changed or removed."""

    kind: Literal["site", "profile", "template", "person", "setting"]
    """What it is. Since 0.3."""
    name: str
    """The name of the site, the template or the account, or the key of the setting; `(order)`: of the sites. Since
    0.3."""
    action: Literal["add", "change", "remove"]
    """What is done to it. Since 0.3."""
    keys: tuple[KeyChangeDocument, ...]
    """What of it differs. Since 0.3."""


class StayingDocument(Struct, frozen=True):
    """Something that is there, and not in the files."""

    kind: Literal["site", "profile", "template", "person", "setting"]
    """What it is. Since 0.3."""
    name: str
    """Its name. Since 0.3."""


class WaitingBundleDocument(Struct, frozen=True):
    """A bundle that waits for signatures."""

    bundle_id: str
    """Its id. Since 0.3."""
    path: str
    """The file that is to be signed. Since 0.3."""


class ApplyDocument(Struct, frozen=True):
    """What a run of files does, or would do."""

    applied: bool
    """Whether it was done; false: with `--plan`, or there is nothing to change. Since 0.3."""
    changes: tuple[AppliedChangeDocument, ...]
    """What differs, in the order in which it is carried out. Since 0.3."""
    added: Count
    """How many things are added. Since 0.3."""
    changed: Count
    """How many are changed. Since 0.3."""
    removed: Count
    """How many are removed. Since 0.3."""
    stays: tuple[StayingDocument, ...]
    """What stays though the files do not have it; `--prune` removes it. Since 0.3."""
    bundles: tuple[WaitingBundleDocument, ...]
    """With `--prepare`: what is to be signed. Since 0.3."""
    restart: bool
    """Whether a running server uses some of it only after a restart. Since 0.3."""


class ExportDocument(Struct, frozen=True):
    """What was written."""

    files: tuple[str, ...]
    """The files, by their paths in the directory. Since 0.3."""


def apply_document(plan: ApplyPlan, *, applied: bool, bundles: Mapping[str, str]) -> ApplyDocument:
    """Return what a run does, or would do; ``bundles``: the id of what waits for signatures now, by its file."""
    number = {action: sum(one.action == action for one in plan.changes) for action in ("add", "change", "remove")}
    changes: Sequence[AppliedChangeDocument] = [
        AppliedChangeDocument(one.kind, one.name, one.action, tuple(KeyChangeDocument(*key) for key in one.keys))
        for one in plan.changes
    ]
    return ApplyDocument(
        applied=applied and bool(plan.changes),
        changes=tuple(changes),
        added=number["add"],
        changed=number["change"],
        removed=number["remove"],
        stays=tuple(StayingDocument(kind, name) for kind, name in plan.stays),
        bundles=tuple(WaitingBundleDocument(bundle_id, path) for path, bundle_id in bundles.items()),
        restart=bool(plan.of("setting")),
    )
