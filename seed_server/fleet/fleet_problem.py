"""One thing that is wrong with a server or its fleet, or will be. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetProblem:
    """One thing that is wrong, or will be."""

    text: str
    """What is so, in one or two sentences of English."""
    mend: str
    """The command or the file that mends it."""
    urgent: bool = True
    """Whether it harms already."""
