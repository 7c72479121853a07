"""The shipped templates of rollouts: a start for an operator's own."""

from importlib import resources

SHIPPED_RINGS = ("all-at-once", "rings", "emergency")


def shipped_rings(name: str) -> str:
    """Return the TOML text of the shipped template ``name``, one of `SHIPPED_RINGS`."""
    return resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
