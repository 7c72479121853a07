"""Whether this PC's clock can be believed: the one place that decides; schedule, posture, status and log ask it.

Three witnesses, none of which can open a window or bring a deadline nearer; they only hold back:

* The signed metadata says what time has certainly passed. A clock that shows less is wrong.
* The server says its time in each welcome. A clock that differs by more than a mistaken time zone would make it is
  wrong, whichever of the two it is: nothing is installed by a time that two machines disagree about.
* The server's certificate is judged by this PC's clock. Servers renew theirs by themselves, so where it does not fit,
  the clock does not either. Without this, a clock that is a year ahead would keep the server's time away.

A PC that starts with signed metadata long expired was off for a while, or its clock is ahead. It waits for the
server's word, but not for ever: restarts, deferrals and posture go on far from the server too. That nothing new is
begun by an expired list, nor by an old one where the clock is not believed, is a rule of `install.withdrawals`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from bandwidth.core.quantities import duration_in_words
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log

CLOCK_TOLERANCE_SECONDS = 120.0  # a time service may step the clock back by this much without a word
SERVER_DIFFERENCE_SECONDS = 600.0  # time zones differ by 900 s at least; a clock that drifts is hardly ever off by this
UNCONFIRMED_CLOCK_SECONDS = 900.0  # a time service sets the clock within minutes of the network's coming up

log = lazy_log()


@dataclass(frozen=True, slots=True)
class _ServerWord:
    """What the server said the time was, and what this PC's two clocks showed then."""

    said: float
    shown: float
    steady: float


class ClockTrust:
    """Collects the witnesses' words of one run of the daemon."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._passed = self._expires = 0.0
        self._vouched: tuple[float, float] | None = None
        """The latest time that a witness has named, and what the steady clock showed then."""
        self._server: _ServerWord | None = None
        self._certificate_fits = True
        self._said = ""

    # --- the witnesses ------------------------------------------------------------------

    def metadata_says(self, passed: float, expires: float) -> None:
        """Note the time that the signed metadata proves to have passed, and when it expires; 0: not known."""
        self._passed, self._expires = max(self._passed, passed), expires
        self._vouches(passed)

    def server_says(self, at: float) -> None:
        """Note the server's time, which it has just told: seconds since 1970."""
        self._server = _ServerWord(at, self._clock.now(), self._clock.monotonic())
        self._certificate_fits = True
        self._vouches(at)

    def certificate_fits(self, fits: bool) -> None:
        """Note whether the server that answered last has a certificate that is valid by this PC's clock."""
        self._certificate_fits = fits

    def _vouches(self, at: float) -> None:
        if at > self.passed:
            self._vouched = at, self._clock.monotonic()

    # --- the verdict --------------------------------------------------------------------

    @property
    def problem(self) -> str:
        """Return why the clock is not believed, and what to do, for people; empty: it is."""
        cause = self._cause()
        if not cause:
            return ""
        return (
            f"This PC's clock cannot be believed: it shows {_text(self._clock.now())}, {cause}. Until it is set, no "
            "maintenance window opens and no deadline counts. Set it, and look at this PC's time service."
        )

    @property
    def passed(self) -> float:
        """Return the time that has passed by the witnesses' word, in seconds since 1970; 0: none has said one.

        It goes on by the steady clock, so that what expires does so by a clock that is behind too.
        """
        if self._vouched is None:
            return 0.0
        at, steady = self._vouched
        return at + self._clock.monotonic() - steady

    def note(self) -> None:
        """Write to the log when the verdict has changed."""
        problem = self.problem
        if problem and not self._said:
            log.warning("the clock is not believed", reason=problem)
        elif self._said and not problem:
            log.info("the clock is believed again")
        self._said = problem

    def _cause(self) -> str:
        now = self._clock.now()
        if now < self._passed - CLOCK_TOLERANCE_SECONDS:
            return f"and the seed server signed something later, at {_text(self._passed)}"
        if self._server is not None and abs(ahead := self._ahead(self._server)) > SERVER_DIFFERENCE_SECONDS:
            return f"{duration_in_words(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the seed server's"
        if not self._certificate_fits:
            return "and by that the seed server's certificate is not valid now"
        if self._unconfirmed(now):
            return f"and by that the signed metadata expired {duration_in_words(now - self._expires)} ago"
        return ""

    def _ahead(self, word: _ServerWord) -> float:
        """Return by how many seconds the clock is ahead for certain; negative: behind."""
        stepped = (self._clock.now() - word.shown) - (self._clock.monotonic() - word.steady)
        ahead = word.shown - word.said
        if stepped <= 0:
            return ahead + stepped
        # it has gained on the steady one: it was set, or the PC has slept, which makes no clock wrong
        return min(0.0, ahead + stepped) if ahead < 0 else ahead

    def _unconfirmed(self, now: float) -> bool:
        fresh = self._expires == 0.0 or now < self._expires
        return (
            not fresh and self._server is None and self._clock.monotonic() - self._started < UNCONFIRMED_CLOCK_SECONDS
        )


def _text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
