"""What the commands for signing on other machines print with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class BundleDocument(Struct, frozen=True):
    """A change that is signed on other machines."""

    bundle_id: str
    """The bundle's id, 16 hexadecimal digits; the same before and after it is signed."""
    purpose: str
    """What it changes, for people."""
    state: str
    """waiting for signatures, outdated (it can no longer be finished) or finished."""
    prepared_by: str
    """Who prepared it, and how that is known."""
    prepared_at: UnixSeconds
    """When it was prepared."""


class RoleKeysDocument(Struct, frozen=True):
    """The keys that endpoints trust for a role."""

    role: str
    """root, targets, patches or profiles."""
    threshold: Count
    """How many signatures it needs."""
    keys: tuple[str, ...]
    """Ids of the keys that may sign it, hexadecimal."""
