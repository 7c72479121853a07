"""`seed_server.service.switching`: a thread that computes does not keep the event loop waiting."""

import sys

import pytest

from seed_server.service.switching import SWITCH_SECONDS, quick_switches


def test_within_the_block_the_lock_changes_hands_soon_and_after_it_as_usual() -> None:
    usual = sys.getswitchinterval()
    with quick_switches():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    assert sys.getswitchinterval() == pytest.approx(usual)
