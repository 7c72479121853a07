"""`seed_server.reporting.priority_table`: every case has one answer, and the shipped table is SSVC's."""

from typing import Any

import msgspec
import pytest

from p2pdist.shared.toml_config import TomlFileError, parse_toml
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.reporting.priority_table import (
    BANDS,
    CLASSES,
    EXPLOITATIONS,
    EXPOSURES,
    IMPACTS,
    MISSIONS,
    Case,
    PriorityTable,
    PriorityTableError,
    band_of,
    every_case,
    urgency,
)
from seed_server.reporting.shipped_priority import shipped_priority
from seed_server.settings.priority_section import MAX_PRIORITY_TAGS, ClassByImpact, PrioritySettings

SHIPPED = parse_toml(shipped_priority(), PrioritySettings, source="priority.toml")
TABLE = PriorityTable.of(PrioritySettings(), SHIPPED)
# CERT/CC's decision table for deployers, 1.0.0: exploitation and exposure, then not automatable and automatable by
# human impact (low, medium, high, very high): Defer, Scheduled, Out-of-cycle, Immediate
SSVC = """
none   small      DDSS DSSS
none   controlled DSSS SSSS
none   open       DSSS SSSO
poc    small      DSSS SSSS
poc    controlled DSSS SSSO
poc    open       SSSO SSOO
active small      SSOO SOOO
active controlled SSOO OOOO
active open       SOOI OOII
"""


def test_every_leaf_of_the_shipped_table_is_that_of_ssvc() -> None:
    letters = {"D": "defer", "S": "scheduled", "O": "out-of-cycle", "I": "immediate"}
    wanted = {}
    for line in SSVC.strip().splitlines():
        exploitation, exposure, *rows = line.split()
        for likely, row in zip((False, True), rows, strict=True):
            for impact, letter in zip(IMPACTS, row, strict=True):
                wanted[exploitation, exposure, likely, impact] = letters[letter]
    assert len(wanted) == 72
    found: dict[tuple[object, ...], str] = {}
    for case in every_case():
        leaf = TABLE.decide(case)
        key = (case.exploitation, case.exposure, case.likely, leaf.impact)
        assert found.setdefault(key, leaf.priority) == leaf.priority
    assert found == wanted, "every impact is reached by some mission and score"


def test_every_case_has_exactly_one_answer_and_a_rule() -> None:
    cases = every_case()
    assert len(set(cases)) == len(cases) == 3 * 3 * 2 * 3 * 4
    for case in cases:
        leaf = TABLE.decide(case)
        assert leaf.case == case
        assert leaf.impact in IMPACTS
        assert leaf.priority in CLASSES
        assert TABLE.rule(leaf.priority).template in SHIPPED_RINGS
    assert {TABLE.decide(case).priority for case in cases} == set(CLASSES)
    assert [TABLE.rule(one).deadline_days for one in CLASSES] == [2, 7, 30, 0]


def test_nothing_that_is_worse_is_less_urgent() -> None:
    orders: dict[str, Any] = {
        "exploitation": EXPLOITATIONS, "exposure": EXPOSURES, "likely": (False, True), "mission": MISSIONS,
        "band": BANDS,
    }  # fmt: skip
    for case in every_case():
        for name, words in orders.items():
            for worse in words[words.index(getattr(case, name)) :]:
                there = TABLE.decide(case._replace(**{name: worse}))
                assert urgency(there.priority) >= urgency(TABLE.decide(case).priority)


@pytest.mark.parametrize(
    ("cvss", "band"),
    [
        (0.0, "low"), (3.9, "low"), (4.0, "medium"), (6.9, "medium"), (7.0, "high"), (8.9, "high"), (9.0, "critical"),
        (10.0, "critical"),
    ],
)  # fmt: skip
def test_a_score_has_a_band_and_without_one_the_severity_counts(cvss: float, band: str) -> None:
    assert band_of(cvss, "medium") == band
    assert band_of(None, "high") == "high"


def test_of_several_tags_the_worst_counts_and_of_none_what_is_said() -> None:
    assert TABLE.exposure_of([]) == "controlled"
    assert TABLE.exposure_of(["isolated", "x"]) == "small"
    assert TABLE.exposure_of(["isolated", "internet"]) == "open"
    assert TABLE.mission_of(["kiosk"]) == "medium"
    assert TABLE.mission_of(["test"]) == "low"
    assert TABLE.mission_of(["test", "critical"]) == "high"


def own(text: str) -> PriorityTable:
    return PriorityTable.of(parse_toml(text, PrioritySettings, source="server.toml"), SHIPPED)


def test_what_a_company_says_takes_the_place_of_what_is_shipped() -> None:
    table = own('poc_percentile = 0.5\n[exposure]\nopen = ["dmz", "vpn"]\notherwise = "small"')
    assert (table.poc_percentile, table.likely_probability) == (0.5, 0.1)
    assert table.exposure_of(["vpn"]) == "open"
    assert table.exposure_of(["internet"]) == "small", "the shipped tags are gone with their section"
    assert table.mission_of(["critical"]) == "high"
    assert table.decisions == TABLE.decisions


def test_a_table_that_lacks_a_leaf_or_has_a_strange_one_is_refused_with_its_place() -> None:
    lines = shipped_priority().splitlines()
    lacking = [line for line in lines if not line.startswith("likely = ")]
    with pytest.raises(TomlFileError, match="likely is missing"):
        own("\n".join(lacking))
    with pytest.raises(TomlFileError, match="did you mean 'out-of-cycle'"):
        own(shipped_priority().replace('high = "out-of-cycle"', 'high = "out-of-circle"'))
    with pytest.raises(TomlFileError, match="low is missing"):
        own('[decisions.none.small]\nunlikely = { medium = "defer" }')
    with pytest.raises(TomlFileError, match="at most 20 values"):
        own("[mission]\nhigh = [" + '"a",' * (MAX_PRIORITY_TAGS + 1) + "]")
    with pytest.raises(TomlFileError, match="not from 0 to 1"):
        own("poc_percentile = 1.1")
    with pytest.raises(TomlFileError, match="not from 0 to 3650"):
        own(shipped_priority().replace("deadline_days = 30", "deadline_days = 3651"))


def test_a_table_in_which_worse_is_less_urgent_is_refused() -> None:
    assert SHIPPED.decisions is not None
    very = msgspec.structs.replace(SHIPPED.decisions.active.open.likely, very_high="defer")
    likely = msgspec.structs.replace(SHIPPED.decisions.active.open, likely=very)
    exposure = msgspec.structs.replace(SHIPPED.decisions.active, open=likely)
    decisions = msgspec.structs.replace(SHIPPED.decisions, active=exposure)
    with pytest.raises(PriorityTableError, match=r"active, open, likely, very-high \(.*\) is less urgent \(defer\)"):
        PriorityTable.of(PrioritySettings(decisions=decisions), SHIPPED)


def test_the_names_in_the_file_are_those_of_the_words() -> None:
    row = ClassByImpact(low="defer", medium="defer", high="defer", very_high="immediate")
    assert msgspec.to_builtins(row)["very-high"] == "immediate"
    case = Case("active", "open", likely=True, mission="high", band="critical")
    assert TABLE.decide(case).priority == "immediate"
