"""`seed_server.reporting.pc_words`: how a PC is, what is odd about it, and what it says is wrong with it."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.wire.pc_findings import FINDING_CODES
from seed_server.reporting.pc_words import finding_words, pc_doubts, pc_state
from seed_server.store.rows import EndpointRow, Namesake

PC = EndpointRow("a" * 26, "pc-1", 1.0, False, "leeds", "192.0.2.1", "p2pdist 1", True, 100.0)


@pytest.mark.parametrize(
    ("changed", "connected", "state"),
    [
        ({}, True, ("good", "connected")),
        ({}, False, ("quiet", "seen 1 m 40 s ago")),
        ({"last_seen_at": 0.0}, False, ("quiet", "never seen")),
        ({"denied": True}, False, ("bad", "denied")),
        ({"denied": True, "pending": True}, False, ("open", "waits to be allowed")),
        ({"last_seen_at": 300.0}, False, ("quiet", "seen 0.0 s ago")),
    ],
)
def test_a_pc_is_in_one_state(changed: dict[str, object], connected: bool, state: tuple[str, str]) -> None:
    assert pc_state(replace(PC, **changed), 200.0, connected=connected) == state


def test_what_is_odd_is_said() -> None:
    assert pc_doubts(PC, ()) == ""
    assert pc_doubts(PC, (Namesake("b", False, False),)) == "has the name of 1 other PC"
    assert pc_doubts(PC, (Namesake("b", True, False),)) == "has the name of b, which is denied"
    odd = replace(PC, claimed_site="oslo", shared_with="pc-9")
    assert pc_doubts(odd, ()) == "claims oslo; its identity is shown by pc-9 too"
    assert pc_doubts(replace(PC, refuses="It\x1b has expired."), ()) == "refuses what is signed here: It? has expired."


@pytest.mark.parametrize("code", FINDING_CODES)
def test_each_code_has_its_words_and_a_proposal(code: str) -> None:
    said, proposal = finding_words(code)
    assert said.endswith(".")
    assert proposal.endswith((".", "'."))
    assert said != code


def test_a_code_of_a_newer_pc_says_itself() -> None:
    assert finding_words("of_tomorrow").said == "of_tomorrow"
    assert "p2pdist doctor" in finding_words("of_tomorrow").proposal
