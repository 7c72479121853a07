from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench.demo import BAR_CELLS, main, report, split_bar


@pytest.mark.parametrize(
    ("origin", "peers", "cells"),
    [(0, 0, (0, 0)), (25, 75, (10, 30)), (100, 0, (40, 0)), (102, 5, (40, 0)), (0, 300, (0, 40))],
)
def test_the_bar_tells_origin_from_peers_and_never_overflows(origin: int, peers: int, cells: tuple[int, int]) -> None:
    bar = split_bar(origin, peers, 100).plain
    assert len(bar) == BAR_CELLS
    assert (bar.count("█"), bar.count("▓")) == cells


def facts(**changed: Any) -> dict[str, Any]:
    endpoint = {"id": "a" * 26, "state": "verified", "seconds": 3.0}
    endpoint |= {"bytes_from_origin": 90, "bytes_from_peers": 0, "bytes_built": 10}
    life = {"endpoint": 1, "state": "installed", "runs": "demo-app 2.0", "reason": "installed"}
    ring = {"name": "test", "open": True, "installed": 1, "rolled_back": 0, "waiting": 0}
    rollout = {"patch": "demo-app@3.1", "state": "complete", "rings": [ring]}
    deed = {"who": "bob", "did": "withdraw", "to": "demo-app@3.0", "because": "not healthy", "proved": True}
    made = {
        "file_bytes": 100,
        "origin_ratio": 0.9,
        "sent_ratio": 1.0,
        "seconds": 3.0,
        "endpoints": [endpoint],
        "patch_life": [life],
        "smaller_update": {
            "patch": "demo-app@2.0",
            "length_bytes": 100,
            "bytes_over_line": 10,
            "bytes_built": 90,
            "built_of": "1.0",
            "bytes_from_peers": 200,
        },
        "rollouts": [rollout],
        "audit": {"whole": True, "entries": 1, "who_did_what": [deed]},
    }
    return made | changed


@pytest.mark.parametrize(("ratio", "code"), [(1.0, 0), (1.02, 0), (1.0201, 1)])
def test_the_exit_code_holds_what_was_sent_to_its_promise(ratio: float, code: int) -> None:
    assert report(Console(quiet=True), facts(sent_ratio=ratio), as_json=False) == code


def test_the_exit_code_is_1_when_an_endpoint_has_not_verified() -> None:
    one = facts()["endpoints"][0]
    assert report(Console(quiet=True), facts(endpoints=[one, one | {"state": "failed"}]), as_json=False) == 1


@pytest.mark.parametrize(("whole", "proved"), [(False, True), (True, False)])
def test_the_exit_code_is_1_when_the_audit_log_proves_nothing(whole: bool, proved: bool) -> None:
    audit = facts()["audit"]
    audit |= {"whole": whole, "who_did_what": [audit["who_did_what"][0] | {"proved": proved}]}
    assert report(Console(quiet=True), facts(audit=audit), as_json=False) == 1


def test_an_empty_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = CliRunner().invoke(main, ["--file", str(tmp_path / "empty")])
    assert result.exit_code == 2
    assert "is empty" in result.output
