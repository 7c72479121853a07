"""`p2pdist.shared.loading`: the collector is as it was afterwards."""

import gc

from p2pdist.shared.loading import quick_loading


def test_the_collector_rests_within_the_block_alone() -> None:
    with quick_loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with quick_loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
