"""The shipped controller under a throttle profile, at a time of the site's clock that advances during the run."""

import math
from datetime import UTC, datetime, timedelta

from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import Sample
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit
from bandwidth.simulator.scenario import Scenario


class UnderPolicy:
    """A `Law` that asks the profile every second, with what business left of the line in the second before."""

    def __init__(self, scenario: Scenario, profile: Profile, site: str | None, at: datetime) -> None:
        self._profile, self._site, self._at = profile.for_site(site), site, at.astimezone(UTC)
        self._line = BytesPerSecond(int(scenario.line_rate))
        self.limits: list[EffectiveLimit] = []
        """What the profile allowed, second by second."""
        self._business_bytes: int | None = None
        limit = effective_limit(profile, site, at, line=self._line)
        threshold = limit.sensitivity.threshold_seconds
        capacity = self._line if scenario.capacity_configured else None
        self._law = Controller(ControllerSettings(capacity=capacity, threshold_seconds=threshold), 0.0)

    def update(self, sample: Sample, now: float) -> Decision:
        """As `Controller.update`, within the profile's ceiling and floor."""
        if math.floor(now + 1e-9) >= len(self.limits):
            self._ask(now)
        if sample.business_bytes is not None:
            self._business_bytes = (self._business_bytes or 0) + sample.business_bytes
        limit = self.limits[-1]
        return self._law.update(
            sample, now, ceiling=limit.rate, floor=limit.floor, boost=limit.boost, blackout=limit.blackout
        )

    def _ask(self, now: float) -> None:
        seen = self._business_bytes
        spare = None if seen is None else BytesPerSecond(max(0, self._line - seen))
        self._business_bytes = None if seen is None else 0
        at = self._at + timedelta(seconds=now)
        self.limits.append(effective_limit(self._profile, self._site, at, line=self._line, spare=spare))
