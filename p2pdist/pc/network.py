"""What kind of network this PC is on, and its state: vocabulary of the probe and of the LAN policy. Pure."""

import enum
from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond


class Medium(enum.StrEnum):
    """What the bytes to the neighbours travel over."""

    WIRED = "wired"
    WIFI = "Wi-Fi"
    VPN = "VPN"
    METERED = "metered"
    LOOPBACK = "this PC itself"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Battery:
    """``percent`` 0 to 100; ``on_mains`` None: the system does not say."""

    percent: float
    on_mains: bool | None


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What changes seldom: looked at every few seconds."""

    interface: str | None = None
    """The card that carries the address that neighbours use."""
    medium: Medium = Medium.UNKNOWN
    speed: BytesPerSecond | None = None
    """The card's link rate, one way."""
    gateway: str | None = None
    counted: tuple[str, ...] = ()
    """Cards whose bytes are the PC's: not the tunnels over them."""
    battery: Battery | None = None
    """None: a PC without one."""
