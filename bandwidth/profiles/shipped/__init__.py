"""The shipped profiles: a start for an admin's own."""

from importlib import resources

NAMES = ("office-hours", "gentle", "overnight")


def shipped_text(name: str) -> str:
    """Return the TOML text of the shipped profile ``name``, one of `NAMES`."""
    return resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
