"""`docs/bandwidth-control.md` shows the state table and the constants as they are."""

from bandwidth.core import competition, controller, frontier, patience
from bandwidth.core.states import TRANSITIONS
from bench.law_constants import MODULES, PAGE, ROOT, constants, page_with_table

DOC = PAGE.read_text()


def test_the_diagram_is_the_table() -> None:
    assert f"```mermaid\n{TRANSITIONS.as_mermaid()}\n```" in DOC


def test_the_table_of_constants_is_the_sources() -> None:
    assert page_with_table(DOC) == DOC, "run: python -m bench.law_constants"


def test_every_constant_has_a_reason() -> None:
    for module in MODULES:
        source = (ROOT / "bandwidth" / "core" / f"{module}.py").read_text()
        assert not [names for names, _, reason in constants(source) if not reason], module


def test_a_constant_is_read_with_its_reason() -> None:
    source = "AA = 1  # first\nB, C = 2, 3.5\nd = 4  # no constant\n"
    assert constants(source) == [("AA", "1", "first"), ("B, C", "2, 3.5", "")]


def test_the_law_has_the_constants_of_the_code() -> None:
    for text in (
        f"target   = {frontier.HEADROOM} × capacity",
        f"for {frontier.FULL_SECONDS:.0f} s after a queue that came slowly",
        f"q > {competition.STRONG_QUEUE:.0f} T, a transfer",
        f"{competition.LOSSES_LEAST} losses above",
        f"{competition.SHORTFALL * 100:.0f} % missing",
        f"after {competition.PERSISTENT_SECONDS} s  q > T/2",
        f"every {controller.PAUSE_EVERY_SECONDS:.0f} s",
        f"{patience.FIRST_SECONDS} s of quiet, where pings show nothing {patience.BLIND_SECONDS} s",
        f"at most {patience.LONGEST_SECONDS:.0f} s ({patience.BLIND_LONGEST_SECONDS:.0f} s where",
    ):
        assert text in DOC, text
