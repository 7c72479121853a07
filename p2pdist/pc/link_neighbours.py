"""Which machines are beside this PC, as its kernel knows them. Elsewhere than on Linux that is not known.

Blocks for a millisecond or less.
"""

import sys
from dataclasses import dataclass

from p2pdist.pc.network import Medium, NetworkState

if sys.platform == "linux":
    from p2pdist.pc.link_neighbours_linux import neighbours_of, own_cards

TOLD_MEDIA = frozenset({Medium.WIRED, Medium.WIFI})
"""Networks that are the company's: not a tunnel to it from somebody's home, and no telephone's."""


@dataclass(frozen=True, slots=True)
class LinkNeighbours:
    """The cards of this PC, and those of the machines beside it with one address of each."""

    own: tuple[str, ...]
    seen: dict[str, str]


def link_neighbours(network: NetworkState) -> LinkNeighbours | None:
    """Return what the kernel knows of the network that this PC is on; None: it is not known, or not the company's.

    Routers are left out. Raises `OSError`.
    """
    if network.interface is None or network.medium not in TOLD_MEDIA or sys.platform != "linux":
        return None
    return LinkNeighbours(own_cards(network.interface), neighbours_of(network.interface, network.gateway))
