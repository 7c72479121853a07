"""What the bound on harm means for the rate of one site: its evidence, its rests, and why, in words. Pure."""

import math

from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from seed_server.line.business_reports import BusinessView
from seed_server.line.harm_bound import HarmBound, Resting
from seed_server.line.harm_evidence import HarmEvidence, SeenSecond

LOOKING = "nothing is sent for some seconds, to see whether business gets better"
CAUSE = Reason.HARM_PAUSE.value


class SiteHarm:
    """The bound of one site; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.bound = HarmBound()
        """May be replaced by what an earlier run of the server has left."""
        self.overruled = False
        """An operator's boost sends whatever it harms."""
        self._evidence = HarmEvidence()

    def observe(
        self, sample: Sample, business: BusinessView, now: float, *, excused_rate: BytesPerSecond
    ) -> SeenSecond | None:
        """Take in what arrived, and what the site's PCs say of others; return the second that has ended with it.

        ``excused_rate``: an operator's floor.
        """
        second = self._evidence.observe(
            now,
            our_bytes=sample.delivered_bytes,
            business_bytes=business.business_bytes,
            bulk=business.bulk,
            delays=business.delays,
            excused_rate=excused_rate,
        )
        if second is not None and not self.overruled:
            self.bound.observe(second)
        return second

    def resting(self, now: float) -> Resting:
        """Return what the bound lets be sent now."""
        return Resting.NO if self.overruled else self.bound.resting(now)

    def reason(self, now: float) -> str:
        """Return why nothing is sent, for people, and for how long."""
        pause = self.bound.pause
        if pause is None or self.bound.resting(now) is not Resting.PAUSE:
            return f"{CAUSE}: {LOOKING}"
        minutes = math.ceil(self.bound.left_seconds(now) / 60)
        again = f"pieces are sent again in {minutes} min"
        return f"{CAUSE}: {pause.reason.value}; {again}"
