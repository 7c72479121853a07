"""Who asks for an operation, and how that is known. Pure."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

Evidence: TypeAlias = Literal["local user"]
"""How an actor is known. A local user is anyone whom the operating system lets read the server's home."""


@dataclass(frozen=True)
class Actor:
    """A person or program on whose behalf state changes; every operation is handed one and names it in what it logs."""

    name: str
    known_by: Evidence

    @classmethod
    def local_user(cls, name: str) -> Self:
        """Return the user of this machine's command line."""
        return cls(name, "local user")

    def __str__(self) -> str:
        return f"{self.name} ({self.known_by})"
