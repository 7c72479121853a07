"""At how many of the sites that are sent to leasing pauses because business suffers: more than some stop a rollout.

A site's own pause spares that site. Many at once are no matter of their lines: then the rollout itself waits. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from seed_server.store.rows import HarmPauseRow

MOST_PAUSED_SHARE = 0.05  # of the active sites: more pause the rollout …
LEAST_PAUSED_SITES = 2  # … but one site alone is a matter of its line
NAMED_SITES = 3


@dataclass(frozen=True)
class HarmShare:
    """The sites at work for a rollout, or for the whole fleet."""

    active: int
    """Sites that are sent to now, or would be if leasing did not pause there."""
    paused: tuple[str, ...]
    """Those of them where leasing pauses now, by name."""

    @property
    def is_too_much(self) -> bool:
        """Whether a rollout pauses for this."""
        return len(self.paused) >= LEAST_PAUSED_SITES and len(self.paused) > MOST_PAUSED_SHARE * self.active

    @property
    def words(self) -> str:
        """Say it in a sentence, of which sites too."""
        named = ", ".join(self.paused[:NAMED_SITES])
        more = ", …" if len(self.paused) > NAMED_SITES else ""
        count = len(self.paused)
        return f"business suffered at {count} of {self.active} active sites while we sent ({named}{more})"


def harm_share(at_work: Mapping[str, HarmPauseRow | None], among: Collection[str] | None = None) -> HarmShare:
    """Return the share among ``at_work``, as `Database.sites_at_work` has it.

    ``among``: the sites where PCs of the rollout's open rings still lack its patch; None: all.
    """
    sites = at_work.keys() if among is None else at_work.keys() & set(among)
    return HarmShare(len(sites), tuple(sorted(site for site in sites if at_work[site] is not None)))
