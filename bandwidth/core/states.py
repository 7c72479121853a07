"""The controller's states and reasons, and the table of every allowed step. Pure."""

import enum

from bandwidth.core.state_table import StateTable


class State(enum.Enum):
    """What the controller is doing."""

    LEARN = "learn"
    """The line is new: waiting for the first round trips."""
    RAMP = "ramp"
    """Doubling once per round trip, towards the capacity or the first queue."""
    SCAVENGE = "scavenge"
    """Using what business leaves, around an empty queue."""
    BACK_OFF = "back off"
    """A queue has appeared: cut, and look whether it goes away."""
    YIELD = "yield"
    """Business needs the line: the least rate until it is quiet."""
    SLOWDOWN = "slowdown"
    """A planned pause, to see the line without ourselves."""
    STALL = "stall"
    """No signals at all: hold still, this is not congestion."""
    BLACKOUT = "blackout"
    """Policy forbids sending."""


class Trigger(enum.Enum):
    """What can happen to the controller."""

    BASE_KNOWN = "first round trips are there"
    FULL_RATE = "the target rate is reached"
    QUEUE = "the queue is above the threshold"
    DRAINED = "the queue has gone"
    NOT_OURS = "the queue of a ramp has gone before our cut can have reached it"
    COMPETITOR = "business needs the line"
    QUIET = "business has been quiet for long enough"
    PAUSE_DUE = "a planned pause is due"
    PAUSE_OVER = "the planned pause is over"
    SIGNALS_LOST = "no signals and nothing delivered"
    SIGNALS_BACK = "signals are back"
    FORBIDDEN = "policy forbids sending"
    ALLOWED = "policy allows sending again"


_STEPS: dict[tuple[State, Trigger], State] = {
    (State.LEARN, Trigger.BASE_KNOWN): State.RAMP,
    (State.LEARN, Trigger.COMPETITOR): State.YIELD,
    (State.LEARN, Trigger.QUEUE): State.BACK_OFF,
    (State.RAMP, Trigger.FULL_RATE): State.SCAVENGE,
    (State.RAMP, Trigger.QUEUE): State.BACK_OFF,
    (State.RAMP, Trigger.COMPETITOR): State.YIELD,
    (State.SCAVENGE, Trigger.QUEUE): State.BACK_OFF,
    (State.SCAVENGE, Trigger.COMPETITOR): State.YIELD,
    (State.SCAVENGE, Trigger.PAUSE_DUE): State.SLOWDOWN,
    (State.BACK_OFF, Trigger.DRAINED): State.SCAVENGE,
    (State.BACK_OFF, Trigger.NOT_OURS): State.RAMP,
    (State.BACK_OFF, Trigger.COMPETITOR): State.YIELD,
    (State.YIELD, Trigger.QUIET): State.RAMP,
    (State.SLOWDOWN, Trigger.PAUSE_OVER): State.RAMP,
    (State.SLOWDOWN, Trigger.COMPETITOR): State.YIELD,
    (State.STALL, Trigger.SIGNALS_BACK): State.RAMP,
    (State.BLACKOUT, Trigger.ALLOWED): State.LEARN,
} | {
    (state, Trigger.SIGNALS_LOST): State.STALL for state in State if state not in (State.STALL, State.BLACKOUT)
} | {
    (state, Trigger.FORBIDDEN): State.BLACKOUT for state in State if state is not State.BLACKOUT
}  # fmt: skip
TRANSITIONS = StateTable("a controller", State.LEARN, _STEPS)


class Reason(enum.Enum):
    """Why the allowance is what it is: the closed list that people read."""

    LEARNING = "learning the line"
    RAMPING = "ramping up"
    AT_CAPACITY = "at the line's capacity"
    APPLICATION_LIMITED = "nothing more to send"
    QUEUE = "a queue has formed"
    BUSINESS_LOAD = "leaving room for business traffic"
    BUSINESS_BULK = "a business transfer is running"
    PERSISTENT_QUEUE = "somebody else keeps the line busy"
    LOSS = "packets are lost"
    SHORTFALL = "less arrives than was sent: somebody shares the line"
    HARM = "business connections are slowed down"
    PAUSE = "looking at the line without ourselves"
    NO_SIGNALS = "no signals from the site"
    VANISHED = "full packets are lost on the way; smaller ones are tried"
    CEILING = "policy ceiling"
    FLOOR = "policy's minimum rate"
    BOOST = "emergency boost"
    BLACKOUT = "policy forbids sending"
    HARM_PAUSE = "sending rests because business suffered here"
