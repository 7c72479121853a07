"""`p2pdist.daemon.home_lock`: a lock that cannot be made; a second daemon is tested in `tests/faults`."""

from pathlib import Path

import pytest

from p2pdist.daemon.home_lock import hold_lock
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError


def test_a_home_has_one_daemon(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    with hold_lock(home), pytest.raises(UserError, match="already running") as caught, hold_lock(home):
        pass
    assert caught.value.kind is FaultKind.BUSY
    with hold_lock(home):
        pass


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    home.lock.mkdir()
    with pytest.raises(UserError, match="cannot be made") as caught, hold_lock(home):
        pass
    assert caught.value.kind is FaultKind.STORAGE
