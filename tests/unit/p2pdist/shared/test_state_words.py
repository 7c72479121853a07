"""One table of words for states: no state that a PC or server sends is without one."""

import typing

import pytest

from p2pdist.local_api.delivery_answers import WhyState
from p2pdist.local_api.install_answers import PlanState
from p2pdist.shared.language import use
from p2pdist.shared.state_words import STATE_STYLES, STATE_WORDS, state_word
from p2pdist.shared.wire.messages import InstallState, PatchState

STATES = {state for kind in (WhyState, PlanState, InstallState, PatchState) for state in typing.get_args(kind)} - {""}


def test_every_state_has_a_word_and_no_word_is_without_a_state() -> None:
    assert set(STATE_WORDS) == STATES
    assert set(STATE_STYLES) <= STATES


def test_a_state_of_a_newer_version_is_shown_as_it_is_spelt() -> None:
    assert state_word("half_installed") == "half installed"


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_word_is_translated(state: str) -> None:
    english = state_word(state)
    use("ja")
    try:
        assert state_word(state) != english
    finally:
        use("en")
