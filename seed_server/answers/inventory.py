"""What `inventory` prints with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class InventoryRowDocument(Struct, frozen=True):
    """One PC of an answer; with `--json-lines`, a line."""

    endpoint_id: str
    """Its id. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    site: str | None
    """The site where it was seen last; null: it never was. Since 0.3."""
    told_at: UnixSeconds | None
    """When the PC was so, by what it has told or confirmed; null: it has told nothing. Since 0.3."""
    unknown: Literal["never", "outdated", "withheld", "incomplete"] | None
    """Why it is not known whether the expression is true of it: it has never told what it is and has, or too long ago;
    its administrator withholds its packages; or what the expression is about could not be read. Null: it is true.
    Since 0.3."""
    values: dict[str, str | None]
    """By fact or package: its value, or the version that is installed; null: not known, or not installed. Since 0.3."""


class InventoryVersionDocument(Struct, frozen=True):
    """One version of a package."""

    ecosystem: Literal["deb", "rpm", "windows", "generic"]
    """By whose rules it compares. Since 0.3."""
    version: str
    """The version. Since 0.3."""
    pcs: Count
    """How many PCs have it. Since 0.3."""


class InventoryPackageDocument(Struct, frozen=True):
    """Who has a package, of the PCs that the expression is true of."""

    name: str
    """The package. Since 0.3."""
    versions: tuple[InventoryVersionDocument, ...]
    """By ecosystem, the highest version first. Since 0.3."""
    without: Count
    """How many PCs do not have it. Since 0.3."""
    unknown: Count
    """How many PCs do not tell whether they have it. Since 0.3."""


class InventoryDocument(Struct, frozen=True):
    """Which PCs an expression is true of."""

    expression: str
    """What was asked. Since 0.3."""
    total: Count
    """How many PCs it was asked of: those that are not denied, or are at the site. Since 0.3."""
    true: Count
    """Of how many it is true. Since 0.3."""
    false: Count
    """Of how many it is false. Since 0.3."""
    unknown: Count
    """Of how many it is not known; the next four are why. Since 0.3."""
    never: Count
    """They have never told what they are and have. Since 0.3."""
    outdated: Count
    """What they have told is older than `--max-age`. Since 0.3."""
    withheld: Count
    """Their administrators withhold their packages. Since 0.3."""
    incomplete: Count
    """What the expression is about could not be read there, or not all of it. Since 0.3."""
    asked: bool
    """Whether the server asks PCs: false where `inventory_minutes` is 0, so that all of this only gets older.
    Since 0.3."""
    oldest_at: UnixSeconds | None
    """When the first of the PCs that count has told or confirmed its inventory; null: none counts. Since 0.3."""
    package: InventoryPackageDocument | None
    """With `--packages`: who has that package; null without. Since 0.3."""
    rows: tuple[InventoryRowDocument, ...]
    """PCs of which it is true, or with `--unknown` those of which it is not known, by name. Since 0.3."""
    next: str | None
    """For `--after`: where the next page begins; null: these are the last. Since 0.3."""
