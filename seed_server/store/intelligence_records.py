"""What the database keeps of weaknesses, and of patches that they make urgent. Pure."""

from typing import Literal, NamedTuple, TypeAlias

from p2pdist.shared.identifiers import PatchRef

IntelligenceKind: TypeAlias = Literal["kev", "epss"]
"""The catalogue of known exploited vulnerabilities; the exploit prediction scores."""


class IntelligenceSource(NamedTuple):
    """The file that is known of one kind."""

    kind: IntelligenceKind
    dated_at: float
    """When it was made, as it says, in seconds since 1970."""
    imported_at: float
    rows: int
    version: str
    """What it calls itself, or the model that made it."""
    sha256: str
    """Of the file as it was given, in hex."""
    imported_by: str


class ExploitedCve(NamedTuple):
    """A weakness that is known to be exploited."""

    cve: str
    name: str
    added_at: float
    """When the catalogue got it, in seconds since 1970; as the next one, the beginning of a day in UTC."""
    due_at: float | None
    """By when the catalogue's author wants it mended; None: it does not say."""
    ransomware: bool
    """Whether ransomware is known to use it."""
    action: str
    """What the catalogue's author wants done."""


class PriorityMove(NamedTuple):
    """A patch that became more urgent when a file was imported."""

    ref: PatchRef
    at: float
    before: str
    """Its class until then, as the next one; `settings.priority_section.PriorityClass`."""
    after: str


class SaidCounts(NamedTuple):
    """How many PCs say what of one patch; denied ones are not counted."""

    not_for_them: int
    done: int
    """They have installed it, or have its file where nothing is installed."""
