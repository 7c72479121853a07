"""Read the state of this PC's network: card, kind, rate and gateway, and the battery.

Blocks for a millisecond or less; the daemon calls it in worker threads.
What differs by system is in `network_look_linux` and `network_look_other`, chosen here and nowhere else.
"""

import sys

from p2pdist.pc import power, system
from p2pdist.pc.network import Medium, NetworkState

if sys.platform == "linux":
    from p2pdist.pc import network_look_linux as cards
else:
    from p2pdist.pc import network_look_other as cards


def hardware() -> tuple[str, ...]:
    """Return the cards that are hardware: no bridges, no tunnels; all, where the system does not tell.

    Raises `OSError`.
    """
    return cards.hardware()


def network_state(address: str | None, medium: Medium | None = None) -> NetworkState:
    """Return the state of the network of this PC's ``address``. ``medium`` is its kind by the settings, if they say.

    Raises `OSError` when the system does not tell its addresses.
    """
    interface = None if address is None else system.interface_of(address)
    battery = power.battery()
    if interface is None:
        return NetworkState(medium=medium or Medium.UNKNOWN, counted=cards.counted_cards(None), battery=battery)
    return NetworkState(
        interface=interface,
        medium=medium or cards.medium(interface),
        speed=cards.speed(interface),
        gateway=cards.gateway(interface),
        counted=cards.counted_cards(interface),
        battery=battery,
    )
