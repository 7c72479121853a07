"""The patch life under SIGKILL: before and after every write of its journal, and in the middle of an installer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_harness.py")
LEAST_POINTS = 8  # writes of the journal in one life, before and after each


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
@pytest.mark.parametrize("kind", ["script", "archive"])
@pytest.mark.parametrize("health", ["healthy", "sick"])
def test_kill_9_at_every_step(tmp_path: Path, kind: str, health: str) -> None:
    done = subprocess.run(
        [sys.executable, HARNESS, tmp_path, kind, health], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    deaths = [result for result in results if result["killed"]]
    assert len(deaths) >= LEAST_POINTS
    for result in results:
        assert result["ended_well"], result
        # never twice for one decision
        assert 1 <= result["orders"] <= result["decisions"], result
        assert result["installs"] <= result["orders"], result
        if health == "healthy":
            assert (result["state"], result["there"]) == ("installed", True), result
        else:
            assert (result["state"], result["failure"], result["there"]) == ("rolled_back", "health", False), result
