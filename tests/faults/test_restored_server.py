"""With real processes: the server's home is set back to a backup, and PCs bring it up to date again."""

from pathlib import Path

import pytest

from bench.fleet_size.restoring import restore
from bench.fleet_size.sizes import QUICK

pytestmark = [pytest.mark.processes, pytest.mark.slow]


async def test_a_restore_gets_back_what_was_published_denied_and_enrolled_since(tmp_path: Path) -> None:
    figures = (await restore(QUICK, tmp_path)).figures
    assert figures.pop("accept_seconds") < 300
    assert figures == {"denied_back": 0, "patches_lost": 0, "refusing": 0}
