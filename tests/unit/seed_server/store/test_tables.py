from typing import get_args

from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.store.tables import INSTALL_CODES, PATCH_CODES, STANDING


def test_the_closed_lists_are_the_wires_own_and_keep_their_order():
    assert get_args(PatchState) == PATCH_CODES
    assert get_args(InstallState) == INSTALL_CODES


def test_a_row_of_standing_has_no_null():
    assert not any(column.nullable for column in STANDING.c)
