"""The shipped table of priorities: a start for a company's own."""

from importlib import resources


def shipped_priority() -> str:
    """Return its TOML text: all keys of ``[priority]``."""
    return resources.files(__name__).joinpath("priority.toml").read_text(encoding="utf-8")
