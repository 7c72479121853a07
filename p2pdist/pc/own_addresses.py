"""Which of its addresses this PC tells its server and its neighbours: those of the card that leads to the server.

Bridges of containers and of virtual machines, and tunnels, have addresses too. Neighbours do not reach them, and many
PCs have the same ones there. So none of them is told unless the way to the server goes over it.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping

from p2pdist.shared.wire.fields import MAX_ADDRESSES

FAR_ADDRESSES = ("192.0.2.1", "2001:db8::1")  # RFC 5737, RFC 3849: nobody's, so that the default route leads there

Towards = Callable[[str, int], str | None]
"""`address_towards`, or a stand-in for it."""


def address_towards(host: str, port: int) -> str | None:
    """Return the own address that the routing table picks towards ``host``, or None without a route.

    It sends nothing: it only connects a datagram socket. Blocking when ``host`` is a name.
    """
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    for family, kind, protocol, _, target in candidates:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None


def addresses_to_tell(
    cards: Mapping[str, Collection[str]],
    hardware: Collection[str],
    server: tuple[str, int],
    former: str | None,
    towards: Towards = address_towards,
) -> tuple[str, ...]:
    """Return the addresses of the card that leads to ``server``, at most `MAX_ADDRESSES`; the one in use comes first.

    ``cards`` are all cards and their addresses, ``hardware`` the names of those that are no bridge and no tunnel.
    ``former`` is what was in use before: while the server's name cannot be resolved it stays so, as long as this PC has
    it. Without that, the card of the default route is taken, else hardware. Blocking when the name is looked up; raises
    nothing.
    """
    known = {address: card for card, addresses in cards.items() for address in addresses if _can_be_told(address)}
    used = towards(*server)
    if used is None and former in known:
        used = former
    if used is None:
        far = (towards(address, server[1]) for address in FAR_ADDRESSES)
        near = (address for address, card in known.items() if card in hardware)
        used = next((address for address in (*far, *near) if address is not None), None)
    if used is None:
        return ()
    others = [address for address in known if known[address] == known.get(used) and address != used]
    return (used, *others)[:MAX_ADDRESSES]


def _can_be_told(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local)
