"""The kind and state of the network that this PC is on: the vocabulary of the probe and of the LAN policy. Pure."""

import enum
from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond


class Medium(enum.StrEnum):
    """The kind of network that carries the bytes to the neighbours."""

    WIRED = "wired"
    WIFI = "Wi-Fi"
    VPN = "VPN"
    METERED = "metered"
    LOOPBACK = "this PC itself"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery's state. ``percent`` is 0 to 100; ``on_mains`` is None when the system does not say."""

    percent: float
    on_mains: bool | None

    @property
    def supplies(self) -> bool:
        """Whether the PC runs on it. Where the system does not say, it does not: a wrong yes would cost its help."""
        return self.on_mains is False


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The network and the battery; they change seldom and are read every few seconds."""

    interface: str | None = None
    """The card that has the address that neighbours use."""
    medium: Medium = Medium.UNKNOWN
    speed: BytesPerSecond | None = None
    """The card's link rate, one way."""
    gateway: str | None = None
    counted: tuple[str, ...] = ()
    """The cards that together carry all of the PC's bytes: without the tunnels over them."""
    battery: Battery | None = None
    """None for a PC without one."""
