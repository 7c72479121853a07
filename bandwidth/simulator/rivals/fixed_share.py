"""A fixed share of the line, whatever happens: what most tools offer as a limit."""

from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.path import NetworkPath


class FixedShareSender(CubicSender):
    """CUBIC, paced at ``rate`` (bytes per second): the pace never moves; its window still halves at losses."""

    __slots__ = ()

    def __init__(self, path: NetworkPath, rate: float) -> None:
        super().__init__(path)
        self.pacing_rate = rate
