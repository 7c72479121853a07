"""The scenarios of the benchmark; each gets a lab that is built for it alone."""

from dataclasses import dataclass
from typing import Literal

from bench.lab.topology import LabShape
from bench.lab.wan_link import LineShape, line_shape

OURS = "p2pdist"
MB = 1_000_000
CUBIC, VOIP, WEB, ONOFF, UPLOAD = "cubic", "voip", "web", "onoff", "upload"
Fault = Literal["", "endpoint killed", "server restarted", "line drops"]
DROP_AFTER_SECONDS, DROP_SECONDS, DROP_TO_MBIT = 10.0, 15.0, 5.0
SHARED_LINES = 1.5


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run."""

    name: str
    line: LineShape
    file_bytes: int
    method: str = OURS
    endpoints: int = 8
    branches: int = 1
    business: tuple[str, ...] = ()
    """On the branch's unmanaged PC: first alone, then while the file is on its way."""
    alone_seconds: float = 0.0
    with_seconds: float = 0.0
    """For how long at most business runs beside the file; the rest of the file then has the line alone."""
    settle_seconds: float = 5.0
    """Seconds of business alone before its figures count: slow start and the first loss."""
    fault: Fault = ""
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
        """The run's unique name."""
        return f"{self.name} / {self.method}"

    @property
    def lab(self) -> LabShape:
        """What to build."""
        return LabShape((self.line,) * self.branches, self.endpoints, self.uplink, self.lan_mbit)


IDLE_SECONDS = 30.0
IDLE_MB = {OURS: 128, "curl": 32, "fixed share": 32}  # on the idle line; else 64
USUAL = line_shape(20, 20, rtt_ms=40, buffer_ms=200)
OTHER_LINES = {
    "100/20 Mbit/s, 10 ms": line_shape(100, 20, rtt_ms=10, buffer_ms=200),
    "2/1 Mbit/s, 100 ms": line_shape(2, 1, rtt_ms=100, buffer_ms=200),
    "fair queueing": line_shape(20, 20, rtt_ms=40, buffer_ms=200, queue="fq"),
    "1 % loss": line_shape(20, 20, rtt_ms=40, buffer_ms=200, loss=0.01),
    "50 ms buffer": line_shape(20, 20, rtt_ms=40, buffer_ms=50),
}
LAN_LINE = line_shape(100, 100, rtt_ms=1, buffer_ms=50)

IDLE_LINE = "idle line"
TWENTY, KILLED, RESTARTED = "20 endpoints", "endpoint killed", "server restarted"
BESIDE_CUBIC, BESIDE_CALL, BESIDE_WEB = "beside a CUBIC download", "beside a call", "beside web pages"
BESIDE_ONOFF, LONG_YIELD = "beside an on/off download", "60 s beside a CUBIC download"
TWO_BRANCHES, LINE_DROPS, LAN_LIMITED = "two branches, one uplink", "line drops", "LAN-limited"
LAN_BUSINESS = "LAN-limited, business on one PC"


def against_rivals(method: str) -> list[Scenario]:
    """Return the scenarios for ours and every alternative: the same lines, beside the same business."""
    ours = method == OURS
    return [
        # the alternatives get a smaller file: one that sends it eight times needs minutes
        Scenario(IDLE_LINE, USUAL, IDLE_MB.get(method, 64) * MB, method, footprint=ours, timeout_seconds=600),
        Scenario(BESIDE_CUBIC, USUAL, 64 * MB, method, business=(CUBIC, VOIP),
                 alone_seconds=20 if ours else 12, with_seconds=30, until_finished=ours),
        Scenario(BESIDE_CALL, USUAL, 64 * MB, method, business=(VOIP,), alone_seconds=10, with_seconds=30,
                 settle_seconds=1, until_finished=ours),
        Scenario(BESIDE_WEB, USUAL, 128 * MB, method, business=(WEB,), alone_seconds=20 if ours else 12,
                 with_seconds=60 if ours else 36, settle_seconds=1, until_finished=ours),
    ]  # fmt: skip


def ours_alone() -> list[Scenario]:
    """Return the scenarios for ours only."""
    found = [
        Scenario(TWENTY, USUAL, 64 * MB, endpoints=20),
        Scenario(KILLED, USUAL, 64 * MB, fault="endpoint killed"),
        Scenario(RESTARTED, USUAL, 64 * MB, fault="server restarted"),
        Scenario(LONG_YIELD, USUAL, 64 * MB, business=(CUBIC, VOIP), alone_seconds=20, with_seconds=60),
        Scenario(BESIDE_ONOFF, USUAL, 64 * MB, business=(ONOFF, VOIP), alone_seconds=30, with_seconds=30),
        Scenario(
            TWO_BRANCHES, USUAL, 64 * MB, endpoints=4, branches=2,
            uplink=line_shape(20 * SHARED_LINES, 20 * SHARED_LINES, rtt_ms=2, buffer_ms=100),
        ),
        Scenario(LINE_DROPS, USUAL, 64 * MB, fault="line drops"),
        Scenario(LAN_LIMITED, LAN_LINE, 128 * MB, lan_mbit=100, footprint=True),
        Scenario(LAN_BUSINESS, LAN_LINE, 128 * MB, lan_mbit=100, business=(CUBIC,), alone_seconds=8,
                 with_seconds=60, settle_seconds=2, business_on_endpoint=True),
    ]  # fmt: skip
    for words, line in OTHER_LINES.items():
        size = (8 if line.down.rate_mbit < 5 else 64) * MB
        found.append(Scenario(f"{words}: idle", line, size, timeout_seconds=400))
        found.append(
            Scenario(f"{words}: beside CUBIC and a call", line, size, business=(CUBIC, VOIP), alone_seconds=20,
                     with_seconds=30, timeout_seconds=400)
        )  # fmt: skip
    return found


def all_scenarios(rivals: tuple[str, ...]) -> list[Scenario]:
    """Return the whole matrix: ours first."""
    return [*against_rivals(OURS), *ours_alone(), *(each for rival in rivals for each in against_rivals(rival))]
