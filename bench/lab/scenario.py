"""What a scenario is: one way to deliver one file over one line, with what happens meanwhile. Pure."""

import hashlib
from dataclasses import MISSING, dataclass, fields
from typing import Literal

from bench.lab.topology import LabShape
from bench.lab.wan_link import LineShape

OURS = "p2pdist"
MB = 1_000_000
MIB = 1 << 20
REPEATS = 3
CUBIC, VOIP, WEB, ONOFF, UPLOAD = "cubic", "voip", "web", "onoff", "upload"
Group = Literal["usual", "real", "random"]
GROUPS: tuple[Group, ...] = ("usual", "real", "random")
Fault = Literal["", "endpoint killed", "server restarted", "server away", "line drops", "line cut"]
Before = Literal["", "a file", "a file and a restart"]
DROP_AFTER_SECONDS, DROP_SECONDS, DROP_TO_MBIT = 10.0, 15.0, 5.0
CUT_SECONDS = 15.0  # nothing passes in either direction
AWAY_SECONDS = 2.0  # from killing the server until it is started again; its start takes longer
IDLE_SECONDS = 30.0  # for which the daemons' footprint is watched after the file


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run, which is repeated; each has a lab of its own."""

    name: str
    line: LineShape
    file_bytes: int
    method: str = OURS
    group: Group = "usual"
    configured: bool = True
    """The operator has entered what the line carries (`line_mbit`, and `egress_mbit` for a shared uplink)."""
    repeats: int = REPEATS
    endpoints: int = 8
    branches: int = 1
    business: tuple[str, ...] = ()
    """On the branch's unmanaged PC: first alone, then while the file is on its way."""
    alone_seconds: float = 0.0
    with_seconds: float = 0.0
    """For how long at most business runs beside the file; the rest of the file then has the line alone."""
    settle_seconds: float = 5.0
    """Seconds of business alone before its figures count: slow start and the first loss."""
    late: tuple[str, ...] = ()
    """Business that begins `late_after_seconds` after the file and lasts for `late_seconds`.

    It is compared with as many seconds alone, before the file; both times from its start.
    """
    late_after_seconds: float = 0.0
    late_seconds: float = 0.0
    fault: Fault = ""
    before: Before = ""
    """What the site has seen: a file as large, and then a restart of the server. Only the file after that counts."""
    busy_processors: bool = False
    """Other programs keep every processor busy, before the file and while it is on its way."""
    busy_share: float = 1.0
    """For which share of the time they are."""
    busy_before_seconds: float = 20.0
    """By then PCs, which look at their processor's mean, know that it is busy."""
    serve_up_to_cpu_percent: float | None = 100.0
    """Where PCs help less. 100: never, as all share this machine's processors; None: as the product does by default."""
    uplink: LineShape | None = None
    lan_mbit: float | None = None
    business_on_endpoint: bool = False
    """The download runs on a PC that also has our daemon, from a neighbour: a flow on the LAN."""
    footprint: bool = False
    """Watch memory and processor time of the daemons, also for `IDLE_SECONDS` after the file."""
    until_finished: bool = True
    """Otherwise the run ends with the business: only the harm to business is measured."""
    timeout_seconds: float = 240.0

    @property
    def key(self) -> str:
        """The name of this scenario's runs."""
        return f"{self.name} / {self.method}"

    @property
    def lab(self) -> LabShape:
        """What to build."""
        return LabShape((self.line,) * self.branches, self.endpoints, self.uplink, self.lan_mbit)

    @property
    def has_business(self) -> bool:
        """Whether anything competes for the line."""
        return bool(self.business or self.late)

    @property
    def fingerprint(self) -> str:
        """What changes when this definition does: a run of another definition must not count for this one.

        How often it is repeated is no part of it, nor is a field that this scenario leaves alone.
        """
        said = [
            f"{each.name}={value!r}"
            for each in fields(self)
            if (value := getattr(self, each.name)) != each.default or each.default is MISSING
            if each.name != "repeats"
        ]
        return hashlib.sha256("; ".join(said).encode()).hexdigest()[:12]
