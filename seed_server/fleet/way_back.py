"""How far PCs are that are to go back from a publication, by what they say of it. Blocking."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context

SAYS_RECALLED = "recalled: "
"""What a PC's words begin with where a publication goes back; then come the recall's reason, and what is in the way."""


@dataclass(frozen=True)
class GoneBack:
    """How many PCs stand where."""

    went_back: int = 0
    going_back: int = 0
    """They have it still, and are at it or wait for something."""
    cannot: dict[str, int] = field(default_factory=dict)
    """So many have no way back or failed on it, by what they say."""


def read_ways_back(context: Context) -> dict[PatchRef, GoneBack]:
    """Return it of each publication that is listed and goes back. Raises `UserError`."""
    repository = context.repository()
    recalls = repository.recalls().recalls
    if not recalls:
        return {}
    found = {}
    with context.database() as database:
        for manifest in repository.manifests():
            reasons = [
                one.reason for one in recalls if one.patch_id == manifest.patch_id and one.covers(manifest.number)
            ]
            number = database.patch_number(manifest.ref) if reasons else None
            if number is not None:
                found[manifest.ref] = way_back(database.words_beginning(number, SAYS_RECALLED), reasons)
    return found


def way_back(words: Iterable[tuple[str, str, int]], reasons: Collection[str]) -> GoneBack:
    """Return how far PCs are; ``words``: state of the installation, what is said of it, and by how many PCs."""
    cannot: Counter[str] = Counter()
    went_back = going_back = 0
    begins = sorted((f"{SAYS_RECALLED}{reason}" for reason in reasons), key=len, reverse=True)
    for install, text, count in words:
        rest = next((text[len(begin) :] for begin in begins if text.startswith(begin)), "").lstrip("; ")
        if install == "rolled_back":
            went_back += count
        elif rest:
            cannot[rest] += count
        elif install != "not_applicable":
            going_back += count
    return GoneBack(went_back, going_back, dict(cannot.most_common()))
