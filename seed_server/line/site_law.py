"""What is known of a site's line, and the controller that decides about it, once something is decided. Pure."""

from bandwidth.core.capacity import CapacityEstimate
from bandwidth.core.controller import Controller
from bandwidth.core.decision import ControllerSettings
from bandwidth.core.units import BytesPerSecond


class SiteLaw:
    """Makes the controller for the first decision: most sites are sent nothing after a start, and it takes 20 kB."""

    def __init__(self, configured: BytesPerSecond | None) -> None:
        """Know of the line that it carries ``configured``; None: it is to be learned."""
        self._configured = configured
        self.capacity = CapacityEstimate(configured)
        """What the line carries; a controller learns it, and the next one goes on with it."""
        self.made: Controller | None = None

    def controller(self, threshold_seconds: float, now: float) -> Controller:
        """Return the controller."""
        if self.made is None:
            settings = ControllerSettings(self._configured, threshold_seconds=threshold_seconds)
            self.made = Controller(settings, now)
            self.made.capacity = self.capacity
        return self.made

    def begin_anew(self) -> None:
        """Let the next decision be one of a new controller."""
        self.made = None
