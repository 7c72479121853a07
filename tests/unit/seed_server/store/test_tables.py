from typing import get_args

from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.store.tables import INSTALL_CODES, PATCH_CODES, SAID_PLACES, STANDING, said_code, states_of


def test_the_closed_lists_are_the_wires_own_and_keep_their_order():
    assert get_args(PatchState) == PATCH_CODES
    assert get_args(InstallState) == INSTALL_CODES


def test_a_row_of_standing_has_no_null():
    assert not any(column.nullable for column in STANDING.c)


def test_each_pair_of_states_has_a_number_of_its_own():
    pairs = [(state, install) for state in PATCH_CODES for install in INSTALL_CODES]
    assert len(INSTALL_CODES) <= SAID_PLACES
    assert [states_of(said_code(*pair)) for pair in pairs] == pairs
