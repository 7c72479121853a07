"""docs/patch-life.md says what the tables say."""

from pathlib import Path

from p2pdist.install.lifecycle import PATIENCE, TRANSITIONS
from p2pdist.install.stopping import STOP_SECONDS

DOC = (Path(__file__).parents[2] / "docs" / "patch-life.md").read_text()


def test_the_diagram_is_the_table() -> None:
    assert f"```mermaid\n{TRANSITIONS.as_mermaid()}\n```" in DOC


def test_patience_is_as_written() -> None:
    for failure, (attempts, first, longest) in PATIENCE.items():
        waits = f" {first / 60:g} min | {longest / 60:g} min |" if attempts > 1 else " | |"
        assert f"| {failure.value} | {attempts} |{waits}" in DOC


def test_time_to_end_is_as_written() -> None:
    assert f"has {STOP_SECONDS:.0f} s to come to its end" in DOC
