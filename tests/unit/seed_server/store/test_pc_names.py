"""What people type for a PC, held to ids and host names."""

import pytest

from seed_server.store.pc_names import LEAST_PREFIX_CHARS, Match, PcName

ID = "c3q6ydd2fa6fcjhw5mmendpzgi"


@pytest.mark.parametrize(
    ("typed", "hostname", "match"),
    [
        (ID, "", Match.ID),
        (f" {ID.upper()}\n", "", Match.ID),
        (ID[:LEAST_PREFIX_CHARS], "", Match.NAME),
        (ID[: LEAST_PREFIX_CHARS - 1], "", None),
        ("PC-7", "pc-7", Match.NAME),
        ("straße", "STRASSE", Match.NAME),
        ("pc-7", "PC-7.corp.example", Match.SHORT_NAME),
        ("pc-7.corp.example", "pc-7", Match.SHORT_NAME),
        ("pc-7.corp.example", "pc-7.other.example", None),
        ("pc-7", "pc-70", None),
        ("pc", "pc-7", None),
        ("", "", None),
        (".corp", ".example", None),
        ("\udcff", "pc-7", None),
    ],
)
def test_how_well_a_text_names_a_pc(typed: str, hostname: str, match: Match | None) -> None:
    assert PcName(typed).match(ID, hostname) is match


def test_what_names_a_pc_better_goes_first() -> None:
    pcs = [(1, "aaaa2", "pc-7.corp"), (2, "bbbb2", "PC-7"), (3, "cccc2", "pc-8")]
    assert PcName("pc-7").best(pcs) == [2]
    assert PcName("pc-7").all(pcs) == [1, 2]
    assert PcName("pc-9").best(pcs) == PcName("pc-9").all(pcs) == []
    named_so = [*pcs, (4, "dddd2", "aaaa2")]
    assert PcName("aaaa2").best(named_so) == PcName("aaaa2").all(named_so) == [1]
    assert PcName("aaaa").best([(1, "aaaa2", ""), (2, "dddd2", "aaaa")]) == [1, 2]
