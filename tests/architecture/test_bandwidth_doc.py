"""`docs/bandwidth-control.md` shows the state table as it is, and the constants as they are."""

from pathlib import Path

from bandwidth.core import controller
from bandwidth.core.states import as_mermaid

DOC = (Path(__file__).parents[2] / "docs" / "bandwidth-control.md").read_text()


def test_the_diagram_is_the_table() -> None:
    assert f"```mermaid\n{as_mermaid()}\n```" in DOC


def test_the_constants_are_the_codes() -> None:
    for text in (
        f"target   = {controller.HEADROOM} × capacity",
        f"q > {controller.STRONG_QUEUE:.0f} T",
        f"for {controller.PERSISTENT_SECONDS} s in spite of a cut",
        f"every {controller.PAUSE_EVERY_SECONDS:.0f} s",
        f"after {controller.QUIET_FIRST_SECONDS} s of quiet",
        f"at most {controller.QUIET_LONGEST_SECONDS:.0f} s",
    ):
        assert text in DOC, text
