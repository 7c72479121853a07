"""`bandwidth.core.window_renewal`: when a kernel's window may begin anew, where losses shrink it and where not."""

from dataclasses import dataclass, field

import pytest

from bandwidth.core.decision import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from bandwidth.core.window_renewal import WindowRenewal

ALLOWED = BytesPerSecond(1_000_000)
NARROW, WIDE = BytesPerSecond(999_999), ALLOWED
STEP = 0.0625  # exact in binary
EVER = 1_000.0


@dataclass
class Looks:
    """A renewal that is asked every `STEP`; it was renewed when it began."""

    loss_blind: bool
    rtt: float = 0.04
    now: float = EVER
    renewal: WindowRenewal = field(default_factory=WindowRenewal)

    def __post_init__(self) -> None:
        self.look(state=State.YIELD)
        assert self.look(), "a yield has ended"

    def look(
        self,
        state: State = State.SCAVENGE,
        *,
        window: BytesPerSecond | None = WIDE,
        lost: int = 0,
        by: float = STEP,
    ) -> bool:
        """Return whether the window is renewed now."""
        self.now += by
        sample = Sample(self.rtt, None, 0, lost, False, window, None)
        decision = Decision(ALLOWED, Reason.RAMPING, State.RAMP if self.now == EVER + 2 * STEP else state)
        return self.renewal.due(sample, decision, self.now, rtt_seconds=self.rtt, loss_blind=self.loss_blind)

    def until_renewed(self, state: State = State.SCAVENGE, *, window: BytesPerSecond | None = NARROW, lost: int = 0):
        """Return after how many seconds it is renewed, at most a minute."""
        since = self.now
        while self.now - since < 60.0:
            if self.look(state, window=window, lost=lost):
                return self.now - since
        return None


@pytest.mark.parametrize("loss_blind", [False, True])
def test_the_end_of_a_yield_renews_at_once_and_once(loss_blind: bool) -> None:
    looks = Looks(loss_blind)
    for state, due in (
        (State.YIELD, False),
        (State.RAMP, True),
        (State.RAMP, False),
        (State.SLOWDOWN, False),
        (State.RAMP, loss_blind),  # nobody was there: a window is as it was, unless it follows what arrives
    ):
        assert looks.look(state) is due


def test_a_window_that_follows_what_arrives_is_renewed_after_a_blackout() -> None:
    looks = Looks(loss_blind=True)
    looks.look(State.SCAVENGE)
    assert not looks.look(State.BLACKOUT)
    assert looks.look(State.RAMP)


@pytest.mark.parametrize("state", [State.RAMP, State.SCAVENGE])
def test_a_window_that_holds_us_back_is_renewed_five_seconds_after_the_last_time(state: State) -> None:
    looks = Looks(loss_blind=False)
    assert looks.until_renewed(state) == 5.0
    assert looks.until_renewed(state) == 5.0


def test_where_losses_shrink_it_a_second_without_a_loss_comes_first() -> None:
    looks = Looks(loss_blind=False)
    assert looks.until_renewed(lost=1) is None
    assert looks.until_renewed() == 1.0


@pytest.mark.parametrize(
    ("rtt", "after"),
    [
        (0.04, 0.3125),  # 0.3 s at least: the fifth look
        (0.0625, 0.375),  # six round trips
        (0.5, 3.0),
    ],
)
@pytest.mark.parametrize("lost", [0, 100])
def test_one_that_losses_do_not_shrink_is_renewed_as_soon_as_its_start_is_over(
    rtt: float, after: float, lost: int
) -> None:
    looks = Looks(loss_blind=True, rtt=rtt)
    assert looks.until_renewed(lost=lost) == after
    assert looks.until_renewed(lost=lost) == after


@pytest.mark.parametrize("window", [None, WIDE, NARROW])
@pytest.mark.parametrize("state", list(State))
def test_bbr_is_never_left_alone_for_the_ten_seconds_after_which_it_pauses(
    state: State, window: BytesPerSecond | None
) -> None:
    looks = Looks(loss_blind=True, rtt=2.0)  # held back, it would be renewed after 12 s
    assert looks.until_renewed(state, window=window) == 8.0
    assert looks.until_renewed(state, window=window) == 8.0


@pytest.mark.parametrize("loss_blind", [False, True])
@pytest.mark.parametrize("window", [None, WIDE])
def test_a_window_that_lets_all_through_is_no_hindrance(loss_blind: bool, window: BytesPerSecond | None) -> None:
    looks = Looks(loss_blind)
    assert looks.until_renewed(window=window) == (8.0 if loss_blind else None)


@pytest.mark.parametrize("state", [State.LEARN, State.BACK_OFF, State.YIELD, State.SLOWDOWN, State.STALL])
def test_a_small_window_hinders_nobody_who_does_not_want_to_send_more(state: State) -> None:
    assert Looks(loss_blind=False).until_renewed(state) is None


@pytest.mark.parametrize(("loss_blind", "after"), [(False, 5.0), (True, 0.3125)])
def test_a_clock_that_went_back_makes_nobody_wait_for_the_time_before(loss_blind: bool, after: float) -> None:
    looks = Looks(loss_blind)
    looks.look(lost=1)
    assert not looks.look(window=NARROW, by=-EVER / 2)
    assert looks.until_renewed() == after
