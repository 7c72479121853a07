"""`bandwidth.core.states`: the table is complete, and every state leads back to work."""

from bandwidth.core.states import TRANSITIONS, State, Trigger
from tests.helpers.state_steps import tried_steps

STEPS = TRANSITIONS.steps


def test_every_state_and_event_is_in_the_table() -> None:
    assert {state for state, _ in STEPS} == set(State)
    assert {event for _, event in STEPS} == set(Trigger)
    assert set(STEPS.values()) == set(State)


def test_every_state_can_get_back_to_scavenging() -> None:
    reaches = {State.SCAVENGE}
    for _ in State:
        reaches |= {state for (state, _), to in STEPS.items() if to in reaches}
    assert reaches == set(State)


def test_policy_and_lost_signals_are_heard_in_every_state() -> None:
    for state in set(State) - {State.BLACKOUT}:
        assert TRANSITIONS.after(state, Trigger.FORBIDDEN) is State.BLACKOUT
        if state is not State.STALL:
            assert TRANSITIONS.after(state, Trigger.SIGNALS_LOST) is State.STALL


def test_a_step_that_is_not_in_the_table_raises() -> None:
    taken, refused = tried_steps(TRANSITIONS, State, Trigger)
    assert taken == STEPS
    assert [text for text in refused if "cannot take" not in text] == []
