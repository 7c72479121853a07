"""Lines and PCs as they are: nothing configured, loss, long ways, faults, and PCs that have other work. Pure."""

from dataclasses import replace

from bench.lab.scenario import CUBIC, MIB, VOIP, WEB, Scenario
from bench.lab.wan_link import LineShape, line_shape

REAL = line_shape(34, 11, rtt_ms=26, buffer_ms=120)
REAL_PCS = 7
FAR = line_shape(25, 5, rtt_ms=560, buffer_ms=120)
SLOW = line_shape(8, 1, rtt_ms=56, buffer_ms=300)

FIRST_TIME = "unconfigured: idle line"
SECOND_TIME = "unconfigured: idle line, the second time"
AFTER_RESTART = "unconfigured: idle line, the second time after a restart"
TWO_LINES = "unconfigured: two branches"
LOSSES = {0.2: 48, 1: 24, 3: 24}
"""Percent, and the file in MiB."""
FAR_LINE, SLOW_LINE = "unconfigured: 560 ms round trip", "unconfigured: 8/1 Mbit/s beside web pages and a call"
LATE_CUBIC_SECONDS = 20.0
LATE_CUBIC, LINE_CUT = "unconfigured: CUBIC from second 8", "unconfigured: line cut for 15 s"
SERVER_AWAY = "unconfigured: server killed and back after 2 s"
LAN_MBIT = (25, 35, 50)
LAN_REPEATS = 5


def lossy(percent: float) -> str:
    """Return the name of the scenario with this loss."""
    return f"unconfigured: {percent:g} % loss"


def slow_cards(mbit: int) -> str:
    """Return the name of the scenario in which server and PCs have cards of this rate."""
    return f"unconfigured: cards of {mbit} Mbit/s"


def busy_site(mbit: int) -> str:
    """Return the name of that scenario while other programs keep every processor busy."""
    return f"{slow_cards(mbit)}, busy processors"


def card_line(mbit: float) -> LineShape:
    """Return head office in the next room: its line is the server's own card."""
    return line_shape(mbit, mbit, rtt_ms=1, buffer_ms=50)


def real_scenarios() -> list[Scenario]:
    """Return the cases that were measured on branches as they are; ours only."""
    found = [
        _on(REAL, FIRST_TIME, 96),
        replace(_on(REAL, SECOND_TIME, 96), before="a file"),
        replace(_on(REAL, AFTER_RESTART, 96), before="a file and a restart"),
        replace(_on(REAL, TWO_LINES, 48), endpoints=4, branches=2),
        *(_on(line_shape(34, 11, rtt_ms=26, buffer_ms=120, loss=percent / 100), lossy(percent), size)
          for percent, size in LOSSES.items()),
        replace(_on(FAR, FAR_LINE, 32), endpoints=4),
        replace(_on(SLOW, SLOW_LINE, 16), business=(WEB, VOIP), alone_seconds=15, with_seconds=15, settle_seconds=2),
        replace(_on(REAL, LATE_CUBIC, 96), late=(CUBIC,), late_after_seconds=8, late_seconds=LATE_CUBIC_SECONDS),
        replace(_on(REAL, LINE_CUT, 96), fault="line cut"),
        replace(_on(REAL, SERVER_AWAY, 64), fault="server away"),
    ]  # fmt: skip
    for mbit in LAN_MBIT:
        cards = replace(_on(card_line(mbit), slow_cards(mbit), 48), endpoints=8, lan_mbit=mbit)
        if mbit == LAN_MBIT[0]:
            found.append(replace(cards, repeats=LAN_REPEATS))
        found.append(replace(cards, name=busy_site(mbit), busy_processors=True, serve_up_to_cpu_percent=None))
    return found


def _on(line: LineShape, name: str, mebibytes: int) -> Scenario:
    """Return a scenario with a file as large as where these lines were measured first: 48 MiB, 16.1 s at 25 Mbit/s."""
    return Scenario(name, line, mebibytes * MIB, group="real", configured=False, endpoints=REAL_PCS)
