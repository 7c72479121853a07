"""The lines that the limiter was made with, configured; ours, and the alternatives beside the same business. Pure."""

from bench.lab.scenario import CUBIC, MB, ONOFF, OURS, VOIP, WEB, Scenario
from bench.lab.wan_link import line_shape

SHARED_LINES = 1.5
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
