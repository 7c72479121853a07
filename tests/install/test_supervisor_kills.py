"""The supervisor of an upgrade of p2pdist itself under SIGKILL: at each write, and in the middle of its installer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# kills p2pdist.install.supervisor with p2pdist.install.supervised_processes
HARNESS = Path(__file__).with_name("supervisor_harness.py")
LEAST_POINTS = 7


@pytest.mark.skipif(sys.platform != "linux", reason="p2pdist upgrades itself on Linux")
@pytest.mark.parametrize("daemon", ["well", "dead"])
def test_killed_at_each_step_it_installs_once_and_says_what_is_so(tmp_path: Path, daemon: str) -> None:
    done = subprocess.run(
        [sys.executable, HARNESS, tmp_path / "place", daemon], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert sum(result["killed"] for result in results) >= LEAST_POINTS
    for result in results:
        assert result["runs"].count("new") <= 1, result
        assert result["repairs"] <= 1, result
        if daemon == "well":
            assert result["result"] == "spoke", result
            assert "old" not in result["runs"], result
            # whoever did not see the installer end does not say that it has
            assert result["known"] == ("repair" not in result["runs"]), result
        else:
            assert (result["result"], result["there"]) == ("went_back", "old"), result
