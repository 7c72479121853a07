"""The matrix: lines, round trips, queues, kinds of business, senders and seeds, and what becomes of them.

A cell is what the line and business are; a run is a cell with a sender and a seed. Every sender's run is
compared with business alone by the same seed. Lines that lose packets at random are a part of the matrix, for
our senders alone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bandwidth.core.units import LARGEST_PACKET_BYTES, MBIT
from bandwidth.simulator.building import BUSINESS, SCAVENGERS
from bandwidth.simulator.scenario import Scenario

ACK_BYTES = 78  # 20 IPv4, 32 TCP with time stamps, 26 Ethernet with its preamble


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is sold by its two rates."""

    down_mbit: float
    up_mbit: float
    run_seconds: float

    @property
    def name(self) -> str:
        """Such as ``10/2``."""
        return f"{self.down_mbit:g}/{self.up_mbit:g}"


LINES = tuple(
    # The cost of a run grows with its packets. A slow line needs the longer run: a web page takes seconds there, a
    # ramp some hundred packets. On the fast ones everything settles sooner, and 16 s of business are enough.
    Line(down_mbit, up_mbit, run_seconds)
    for down_mbit, up_mbit, run_seconds in (
        (2.0, 1.0, 60.0),
        (10.0, 2.0, 60.0),
        (20.0, 20.0, 40.0),
        (100.0, 20.0, 24.0),
    )
)
RTTS_MS = (10, 30, 60, 120, 250)
QUEUES = ("20 packets", "1 bdp", "250 ms", "fq_codel")
VIDEO = "video call" if "video call" in BUSINESS else "video"
BUSINESSES = ("cubic", "4 cubic", "bbr", "voip", "web", VIDEO, "on/off", "mix")
IDLE = "idle"
LOSSES = (0.0, 0.2, 1.0, 3.0)  # per cent, at random, on the way to the site
LOSSY_RTTS_MS, LOSSY_QUEUES, LOSSY_BUSINESSES = (30, 120), ("250 ms", "fq_codel"), ("cubic", "web", IDLE)
LOSSY_LEAST_MBIT = 10.0  # slower lines have too few packets in a run to lose some
SEEDS = 5
BUSINESS_FROM, BUSINESS_UNTIL = 1 / 6, 5 / 6  # of the run: at least 4 s of idle line before, and as much after
IDLE_RUN_SECONDS = 75.0  # one planned pause (every 60 s) is in it

OURS, OURS_HIDDEN, OURS_LEARNED = "ours", "ours-hidden", "ours-learned"
ALONE = "alone"
NO_RIVALS = ("cubic",)  # of the simulator's senders: plain TCP is no scavenger
RIVALS = tuple(sorted(set(SCAVENGERS) - {*NO_RIVALS, "ours", "none"}))
SENDERS = (OURS, OURS_HIDDEN, OURS_LEARNED, *RIVALS)
"""Hidden: business cannot be measured. Learned: nor is the line's rate configured, as where nobody describes it."""
LEARNED_BUSINESSES = ("cubic", "voip", "web", "on/off", IDLE)


@dataclass(frozen=True, slots=True)
class Cell:
    """A line, its round trip and queue, and what business does."""

    line: Line
    rtt_ms: int
    queue: str
    business: str
    loss: float = 0.0
    """Of its packets the line loses so many per cent at random."""

    def __str__(self) -> str:
        lossy = f", loss {self.loss:g} %" if self.loss else ""
        return f"{self.business}: {self.line.name} Mbit/s, {self.rtt_ms} ms, queue {self.queue}{lossy}"

    @property
    def fifo(self) -> bool:
        """Whether the queue is one for all."""
        return self.queue != "fq_codel"

    @property
    def buffer_packets(self) -> float:
        """How many full packets the queue holds; a FIFO's only."""
        amount, _, unit = self.queue.partition(" ")
        in_a_second = self.line.down_mbit * MBIT / LARGEST_PACKET_BYTES
        return (
            float(amount) * {"packets": 1.0, "ms": in_a_second / 1_000, "bdp": in_a_second * self.rtt_ms / 1_000}[unit]
        )

    @property
    def senders(self) -> tuple[str, ...]:
        """Return the senders that are measured here."""
        left_out = {OURS_HIDDEN} if self.business == IDLE else set()  # there is nothing to hide
        if self.business not in LEARNED_BUSINESSES:
            left_out.add(OURS_LEARNED)
        if self.loss:
            left_out.update(RIVALS)
        return tuple(sender for sender in SENDERS if sender not in left_out)

    @property
    def seeds(self) -> int:
        """Return how many seeds make a difference: on an idle line, only which packets are lost is random."""
        return 1 if self.business == IDLE and not self.loss else SEEDS

    def scenario(self, sender: str, seed: int) -> Scenario:
        """Return what is simulated. Business alone has one scenario, whatever it is compared with.
        The way back is a delay in the simulator; what the up rate adds to it is the time that an
        acknowledgement takes to send.
        """
        seconds = IDLE_RUN_SECONDS if self.business == IDLE else self.line.run_seconds
        scenario = Scenario(
            line_mbit=self.line.down_mbit,
            rtt_seconds=self.rtt_ms / 1_000 + ACK_BYTES / (self.line.up_mbit * MBIT),
            queue=self.queue,
            business=self.business,
            scavenger={ALONE: "none", OURS_HIDDEN: "ours", OURS_LEARNED: "ours"}.get(sender, sender),
            duration_seconds=seconds,
            business_from_seconds=seconds if self.business == IDLE else seconds * BUSINESS_FROM,
            business_until_seconds=seconds if self.business == IDLE else seconds * BUSINESS_UNTIL,
            seed=seed,
            loss=self.loss / 100,
        )
        hidden = sender in (OURS_HIDDEN, OURS_LEARNED)
        return replace(scenario, business_visible=not hidden, capacity_configured=sender != OURS_LEARNED)


@dataclass(frozen=True, slots=True)
class Run:
    """One thing to simulate."""

    cell: Cell
    sender: str
    seed: int

    def __str__(self) -> str:
        return f"{self.sender} beside {self.cell}, seed {self.seed}"

    @property
    def scenario(self) -> Scenario:
        """Return what is simulated."""
        return self.cell.scenario(self.sender, self.seed)

    @property
    def cost(self) -> float:
        """Return about how long it takes, in no unit: packets, and the timers that tick on any line."""
        scenario = self.scenario
        return scenario.duration_seconds * (10.0 + scenario.line_mbit)


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of the matrix; the default is all of it."""

    lines: Sequence[Line] = LINES
    rtts_ms: Sequence[int] = RTTS_MS
    queues: Sequence[str] = QUEUES
    businesses: Sequence[str] = (*BUSINESSES, IDLE)
    senders: Sequence[str] = SENDERS
    losses: Sequence[float] = LOSSES
    seeds: int = SEEDS

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def cells(self) -> list[Cell]:
        """Return the cells in the order of the matrix."""
        cells = (
            Cell(line, rtt_ms, queue, business, loss)
            for loss in self.losses
            for line in self.lines
            for rtt_ms in self.rtts_ms
            for queue in self.queues
            for business in self.businesses
        )
        return [cell for cell in cells if not cell.loss or _is_of_the_lossy_part(cell)]

    def runs(self) -> Iterator[Run]:
        """Yield every run once: seed by seed, so that the whole matrix is covered early, and shuffled within a seed.

        Costly cells are spread by this, so the expected time is a good guess. The order is always the same.
        """
        for seed in range(1, self.seeds + 1):
            runs = [
                Run(cell, sender, seed)
                for cell in self.cells()
                if seed <= cell.seeds
                for sender in (*((ALONE,) if cell.business != IDLE else ()), *cell.senders)
                if sender == ALONE or sender in self.senders
            ]
            yield from sorted(runs, key=lambda run: hashlib.sha256(str(run).encode()).digest())


def _is_of_the_lossy_part(cell: Cell) -> bool:
    return (
        cell.line.down_mbit >= LOSSY_LEAST_MBIT
        and cell.rtt_ms in LOSSY_RTTS_MS
        and cell.queue in LOSSY_QUEUES
        and cell.business in LOSSY_BUSINESSES
    )
